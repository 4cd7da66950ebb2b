/** A host gives no more than it has, and gives all of it. */
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Admission, type Capacity, hostCapacity } from '../../activities/admission.ts';

const never = new AbortController().signal;
const host = () => new Admission({ cpus: 4, memoryMiB: 8000 });

/** True when a promise has settled by now. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  return Promise.race([promise.then(() => true), sleep(5, false)]);
}

describe('admission', () => {
  it('lets steps start while both cores and memory last', async () => {
    const admission = host();
    const leave = await admission.admit({ cpus: 2, memoryMiB: 5000 }, never);
    const second = admission.admit({ cpus: 1, memoryMiB: 4000 }, never);
    expect(await isSettled(second)).toBe(false);
    expect(admission.waiting).toBe(1);
    leave();
    leave();
    await second;
    expect(admission.free).toEqual({ cpus: 3, memoryMiB: 4000 });
  });

  it('is fair: a large step is not overtaken by small ones that would fit', async () => {
    const admission = host();
    const leave = await admission.admit({ cpus: 2, memoryMiB: 1000 }, never);
    const large = admission.admit({ cpus: 4, memoryMiB: 1000 }, never);
    const small = admission.admit({ cpus: 1, memoryMiB: 1000 }, never);
    expect(await isSettled(small)).toBe(false);
    leave();
    (await large)();
    await small;
  });

  it('runs alone what is larger than the host', async () => {
    const admission = host();
    const leave = await admission.admit({ cpus: 64, memoryMiB: 1e6 }, never);
    expect(admission.free).toEqual({ cpus: 0, memoryMiB: 0 });
    expect(await isSettled(admission.admit({ cpus: 1, memoryMiB: 1 }, never))).toBe(false);
    leave();
  });

  it('whoever gives up waiting makes way for the next', async () => {
    const admission = host();
    await admission.admit({ cpus: 3, memoryMiB: 1000 }, never);
    const impatient = new AbortController();
    const large = admission.admit({ cpus: 4, memoryMiB: 1000 }, impatient.signal);
    const small = admission.admit({ cpus: 1, memoryMiB: 1000 }, never);
    impatient.abort(new Error('enough'));
    await expect(large).rejects.toThrow('enough');
    await small;
    expect(admission.free.cpus).toBe(0);
  });

  it('tells when there is room', async () => {
    const admission = host();
    const leave = await admission.admit({ cpus: 4, memoryMiB: 1000 }, never);
    const room = admission.room({ cpus: 1, memoryMiB: 100 }, never);
    expect(await isSettled(room)).toBe(false);
    leave();
    await room;
  });

  it('never gives more than it has, and has all back in the end, whatever comes', async () => {
    const need = fc.record({
      cpus: fc.integer({ min: 1, max: 6 }),
      memoryMiB: fc.integer({ min: 1, max: 9000 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(need, { maxLength: 30 }), async (needs: Capacity[]) => {
        const admission = host();
        await Promise.all(
          needs.map(async (one) => {
            const leave = await admission.admit(one, never);
            expect(admission.free.cpus).toBeGreaterThanOrEqual(0);
            expect(admission.free.memoryMiB).toBeGreaterThanOrEqual(0);
            await sleep(0);
            leave();
          }),
        );
        expect(admission.free).toEqual(admission.total);
      }),
      { numRuns: 30 },
    );
  });

  it('knows what this host has', () => {
    const { cpus, memoryMiB } = hostCapacity();
    expect(cpus).toBeGreaterThanOrEqual(1);
    expect(memoryMiB).toBeGreaterThan(256);
  });
});
