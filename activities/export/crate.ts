/**
 * What an export says of itself for archives: RO-Crate 1.1 (w3id.org/ro/crate/1.1) names every file with its SHA-256,
 * and PROV-O (w3.org/TR/prov-o) tells every step from the scans to it. Both as JSON-LD. Pure.
 */
import type { StepRecord } from '../store.ts';
import type { ExportedFile } from './types.ts';

export const CRATE_FILE = 'ro-crate-metadata.json';
export const PROV_FILE = 'prov.jsonld';

const FORMATS: readonly (readonly [RegExp, string])[] = [
  [/\.nii\.gz$/, 'application/gzip'],
  [/\.nii$/, 'application/octet-stream'],
  [/\.csv$/, 'text/csv'],
  [/\.json$/, 'application/json'],
  [/\.jsonld$/, 'application/ld+json'],
  [/\.md$/, 'text/markdown'],
  [/./, 'text/plain'],
];

const formatOf = (path: string) => FORMATS.find(([pattern]) => pattern.test(path))![1];

/** What a crate is told besides its files. */
export interface CrateSubject {
  readonly title: string;
  readonly description: string;
  readonly version: string;
  /** Who exports: the name of the account. */
  readonly user: string;
  /** ISO 8601. */
  readonly time: string;
  /** As the raw dataset states it. */
  readonly license: string;
  readonly dataset: { readonly name: string; readonly url: string };
  readonly tools: readonly {
    readonly version: string;
    readonly digest: string;
    readonly programs: readonly string[];
  }[];
}

/** Content of ro-crate-metadata.json. */
export function roCrate(about: CrateSubject, files: readonly ExportedFile[]): object {
  const ref = (id: string) => ({ '@id': id });
  const tools = about.tools.map((tool, i) => ({
    '@id': `#tool-${i + 1}`,
    '@type': 'SoftwareApplication',
    name: tool.programs.join(', '),
    version: tool.version,
    identifier: tool.digest,
  }));
  return {
    // The 1.1 context is older than schema.org's sha256.
    '@context': ['https://w3id.org/ro/crate/1.1/context', { sha256: 'https://schema.org/sha256' }],
    '@graph': [
      {
        '@id': CRATE_FILE,
        '@type': 'CreativeWork',
        conformsTo: ref('https://w3id.org/ro/crate/1.1'),
        about: ref('./'),
      },
      {
        '@id': './',
        '@type': 'Dataset',
        name: about.title,
        description: about.description,
        datePublished: about.time,
        license: about.license,
        isBasedOn: ref('#dataset'),
        hasPart: files.map(({ path }) => ref(encodeURI(path))),
        mentions: ref('#export'),
      },
      ...files.map(({ path, description, sha256, bytes }) => ({
        '@id': encodeURI(path),
        '@type': 'File',
        name: path,
        description,
        encodingFormat: formatOf(path),
        contentSize: String(bytes),
        sha256,
      })),
      {
        '@id': '#dataset',
        '@type': 'Dataset',
        name: about.dataset.name,
        url: about.dataset.url,
      },
      {
        '@id': '#delta-md',
        '@type': 'SoftwareApplication',
        name: 'delta-md',
        version: about.version,
        softwareRequirements: tools.map((tool) => ref(tool['@id'])),
      },
      ...tools,
      { '@id': '#user', '@type': 'Person', name: about.user },
      {
        '@id': '#export',
        '@type': 'CreateAction',
        name: 'delta-md export',
        agent: ref('#user'),
        instrument: ref('#delta-md'),
        object: ref('#dataset'),
        result: files.map(({ path }) => ref(encodeURI(path))),
        endTime: about.time,
      },
    ],
  };
}

/** A file by its content, wherever it lies. */
const contentId = (sha256: string) => `hash://sha256/${sha256}`;

/** A file, and the files it was made from; all by content. */
export interface Derivation {
  readonly name: string;
  readonly sha256: string;
  readonly from: readonly string[];
}

/** Content of prov.jsonld. @param records of all steps; one step behind several subjects counts once */
export function provenance(records: readonly StepRecord[], derivations: readonly Derivation[]): object {
  const entities = new Map<string, Record<string, unknown>>();
  const entity = (sha256: string, name: string, more: Record<string, unknown> = {}) =>
    entities.set(sha256, {
      '@id': contentId(sha256),
      '@type': 'Entity',
      label: name,
      ...entities.get(sha256),
      ...more,
    });
  const agents = new Map<string, object>();
  const steps = new Map(records.map((record) => [record.key, record]));
  const activities = [...steps.values()].map((record) => {
    const step = `#step-${record.key}`;
    const tool = `#tool-${encodeURIComponent(record.tool.digest)}`;
    agents.set(tool, {
      '@id': tool,
      '@type': 'SoftwareAgent',
      label: record.tool.version,
      digest: record.tool.digest,
    });
    for (const { path, sha256 } of Object.values(record.inputs)) entity(sha256, path);
    for (const { file, sha256 } of Object.values(record.outputs))
      entity(sha256, file, { wasGeneratedBy: step });
    return {
      '@id': step,
      '@type': 'Activity',
      label: record.step,
      command: record.argv.join(' '),
      host: record.host,
      runtime: record.runtime,
      startedAtTime: record.started,
      endedAtTime: new Date(Date.parse(record.started) + 1000 * record.seconds).toISOString(),
      wasAssociatedWith: tool,
      used: Object.values(record.inputs).map(({ sha256 }) => contentId(sha256)),
    };
  });
  for (const { name, sha256, from } of derivations)
    entity(sha256, name, { wasDerivedFrom: [...new Set(from)].map(contentId) });
  const link = (name: string) => ({ '@id': `prov:${name}`, '@type': '@id' });
  const time = (name: string) => ({ '@id': `prov:${name}`, '@type': 'xsd:dateTime' });
  const own = (name: string) => ({ '@id': `urn:delta-md:${name}` });
  return {
    '@context': {
      prov: 'http://www.w3.org/ns/prov#',
      xsd: 'http://www.w3.org/2001/XMLSchema#',
      label: 'http://www.w3.org/2000/01/rdf-schema#label',
      Entity: 'prov:Entity',
      Activity: 'prov:Activity',
      SoftwareAgent: 'prov:SoftwareAgent',
      used: link('used'),
      wasGeneratedBy: link('wasGeneratedBy'),
      wasDerivedFrom: link('wasDerivedFrom'),
      wasAssociatedWith: link('wasAssociatedWith'),
      startedAtTime: time('startedAtTime'),
      endedAtTime: time('endedAtTime'),
      command: own('command'),
      host: own('host'),
      runtime: own('runtime'),
      digest: own('digest'),
    },
    '@graph': [...entities.values(), ...activities, ...agents.values()],
  };
}
