import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PollerHealth, serveHealth } from '../../cli/temporal/health.ts';

describe("a worker's health", () => {
  let now: PollerHealth;
  let url: string;
  let stop: () => void;
  beforeAll(async () => {
    const server = await serveHealth(0, async () => now);
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    stop = () => server.close();
  });
  afterAll(() => stop());

  it.each([
    { state: 'INITIALIZED', polling: false, healthz: 503, livez: 200 },
    { state: 'RUNNING', polling: true, healthz: 200, livez: 200 },
    // The server is away: nothing to send traffic to, and no reason to kill running steps.
    { state: 'RUNNING', polling: false, healthz: 503, livez: 200 },
    { state: 'DRAINING', polling: true, healthz: 503, livez: 200 },
    { state: 'FAILED', polling: true, healthz: 503, livez: 503 },
    { state: 'STOPPED', polling: false, healthz: 503, livez: 503 },
  ])(
    '$state, polling $polling: /healthz $healthz, /livez $livez',
    async ({ state, polling, ...expected }) => {
      now = { state, polling };
      const healthz = await fetch(`${url}/healthz`);
      const livez = await fetch(`${url}/livez`);
      expect({ healthz: healthz.status, livez: livez.status }).toEqual(expected);
      expect(await healthz.json()).toEqual(now);
    },
  );

  it('is found nowhere else', async () => {
    expect((await fetch(`${url}/`)).status).toBe(404);
  });
});
