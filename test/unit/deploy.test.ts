/** The files that deploy us agree with the product and with each other. */
import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { register } from '../../cli/commands/worker.ts';
import { TASK_QUEUE } from '../../cli/temporal/connect.ts';

const read = (file: string) => readFile(file, 'utf8');

/** A tree of YAML, of which a test asks what it needs. */
type Tree = { readonly [name: string]: Tree } & readonly Tree[] & string;

async function objects(file: string): Promise<Map<string, Tree>> {
  const documents = parseAllDocuments(await read(file));
  expect(documents.flatMap(({ errors }) => errors)).toEqual([]);
  const values = documents.map((document) => document.toJS() as Tree);
  return new Map(values.map((value) => [value['kind'], value]));
}

function workerOptions(): (string | undefined)[] {
  const program = new Command();
  register(program);
  return program.commands[0].options.map(({ long }) => long);
}

describe('docker-compose.yml', async () => {
  const text = await read('docker-compose.yml');
  const { services, secrets, networks } = parse(text, { merge: true }) as Tree;
  const secure = parse(await read('docker-compose.secure.yml'), { merge: true }) as Tree;
  const dockerfile = await read('containers/worker/Dockerfile');
  const jobs = ['schema', 'namespace'];

  it.each(Object.keys(services))('%s: image, restart, health, limits', (name) => {
    const service = services[name];
    expect(service['image']).toMatch(/^\$\{[A-Z_]+_IMAGE:-[\w./-]+:[\w.]+\}$/);
    expect(service['cap_drop']).toEqual(['ALL']);
    expect(service['restart']).toBe(jobs.includes(name) ? 'no' : 'unless-stopped');
    if (jobs.includes(name)) return;
    expect(service['healthcheck'] ?? dockerfile.match(/^HEALTHCHECK/m)).toBeTruthy();
    expect(service['deploy']['resources']['limits']['memory']).toBeTruthy();
  });

  it('waits for what each part needs', () => {
    const conditions = Object.values(services).flatMap((service) =>
      Object.entries(service['depends_on'] ?? {}),
    );
    for (const [name, { condition }] of conditions)
      expect(condition).toBe(jobs.includes(name) ? 'service_completed_successfully' : 'service_healthy');
  });

  it('keeps PostgreSQL to the server, and its password in a file', () => {
    expect(networks['database']['internal']).toBe(true);
    expect(services['postgres']['ports']).toBeUndefined();
    const onDatabase = Object.keys(services).filter((name) =>
      services[name]['networks'].includes('database' as Tree),
    );
    expect(onDatabase.sort()).toEqual(['postgres', 'schema', 'temporal']);
    expect(secrets['postgres_password']['file']).toBeTruthy();
    for (const { environment } of Object.values(services))
      for (const [name, value] of Object.entries(environment ?? {}))
        if (/PASSWORD|PWD/.test(name))
          expect([name, value]).toEqual([name, '/run/secrets/postgres_password']);
  });

  it('opens ports to this machine only', () => {
    const ports = Object.values(services).flatMap((service) => service['ports'] ?? []);
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/);
  });

  it('secured, gives every client the same certificates', () => {
    expect(Object.keys(secure['services']).every((name) => name in services)).toBe(true);
    for (const name of ['namespace', 'worker'])
      expect(secure['services'][name]['environment']).toMatchObject({
        TEMPORAL_TLS_CLIENT_CERT_PATH: '/certificates/client.pem',
        TEMPORAL_TLS_CLIENT_KEY_PATH: '/certificates/client.key',
        TEMPORAL_TLS_SERVER_CA_CERT_PATH: '/certificates/ca.pem',
      });
    expect(secure['services']['temporal']['environment']['TEMPORAL_TLS_REQUIRE_CLIENT_AUTH']).toBe('true');
  });
});

describe('the Kubernetes examples', async () => {
  const worker = await objects('examples/kubernetes/worker.yaml');
  const deployment = worker.get('Deployment')!;
  const pod = deployment['spec']['template']['spec'];
  const [container] = pod['containers'];
  const mounted = container['volumeMounts'].map(({ mountPath }: Tree) => String(mountPath));

  it('call the worker by options it has, and probe the port it serves', () => {
    const words = [...container['args']].map(String);
    for (const word of words.filter((word) => word.startsWith('--'))) expect(workerOptions()).toContain(word);
    const port = words[words.indexOf('--health-port') + 1];
    expect(container['ports']).toEqual([{ name: 'health', containerPort: Number(port) }]);
    expect(container['readinessProbe']['httpGet']).toEqual({ path: '/healthz', port: 'health' });
    expect(container['livenessProbe']['httpGet']).toEqual({ path: '/livez', port: 'health' });
  });

  it('give it longer to stop than it takes, and files where it looks for them', () => {
    // cli/temporal/worker.ts, shutdownForceTime: 30 s.
    expect(Number(pod['terminationGracePeriodSeconds'])).toBeGreaterThan(30);
    for (const { value } of container['env'])
      if (value.startsWith('/'))
        expect(
          mounted.some((path) => value.startsWith(`${path}/`)),
          value,
        ).toBe(true);
    const names = pod['volumes'].map(({ name }: Tree) => name);
    for (const { name } of container['volumeMounts']) expect(names).toContain(name);
  });

  it('scale the same deployment, by the queue we poll', async () => {
    const scaled = (await objects('examples/kubernetes/keda.yaml')).get('ScaledObject')!['spec'];
    const hpa = (await objects('examples/kubernetes/hpa.yaml')).get('HorizontalPodAutoscaler')!['spec'];
    expect(scaled['scaleTargetRef']['name']).toBe(deployment['metadata']['name']);
    expect(hpa['scaleTargetRef']['name']).toBe(deployment['metadata']['name']);
    const [{ metadata }] = scaled['triggers'];
    expect([metadata['taskQueue'], metadata['endpoint']]).toEqual([TASK_QUEUE, container['env'][0]['value']]);
  });
});

describe('the SLURM example', async () => {
  const script = await read('examples/slurm/worker.sbatch');

  it('has its directives before its first command, and calls the worker by options it has', () => {
    const lines = script.split('\n');
    const firstCommand = lines.findIndex((line) => line !== '' && !line.startsWith('#'));
    const directives = lines.flatMap((line, i) => (line.startsWith('#SBATCH') ? [i] : []));
    expect(directives.length).toBeGreaterThan(0);
    expect(Math.max(...directives)).toBeLessThan(firstCommand);
    const call = lines.find((line) => line.includes('delta-md worker'))!;
    for (const [option] of call.slice(call.indexOf('worker')).matchAll(/--[a-z-]+/g))
      expect(workerOptions()).toContain(option);
  });

  it('is told of its end longer before than a worker takes to stop', () => {
    expect(Number(script.match(/--signal=TERM@(\d+)/)![1])).toBeGreaterThan(30);
  });
});
