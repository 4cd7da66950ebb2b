/**
 * When a worker asks the server for a step: while the host has room for one of its class. Steps that cannot start here
 * stay in their queue, where another host may take them.
 */
import type { ActivitySlotInfo, CustomSlotSupplier, SlotPermit } from '@temporalio/worker';
import type { Admission, Capacity } from '../../activities/admission.ts';
import type { ResourceClass } from '../../pipeline/resources.ts';

/** The least that a step of a class asks for. */
const LEAST: Readonly<Record<ResourceClass, Capacity>> = {
  light: { cpus: 1, memoryMiB: 512 },
  compute: { cpus: 1, memoryMiB: 2048 },
  memory: { cpus: 1, memoryMiB: 6144 },
  gpu: { cpus: 1, memoryMiB: 2048 },
};

/**
 * Slots of one class on a host. What a step needs is known only once it is here, so one request at a time is open: at
 * most one step of each class then waits for its share of the host in `Admission`.
 */
export function slotsFor(
  admission: Admission,
  resourceClass: ResourceClass,
): CustomSlotSupplier<ActivitySlotInfo> {
  const least = LEAST[resourceClass];
  let open: SlotPermit | undefined;
  const whenTaken: (() => void)[] = [];
  const settle = (permit: SlotPermit) => {
    if (permit !== open) return;
    open = undefined;
    for (const look of whenTaken.splice(0)) look();
  };
  const give = (): SlotPermit => (open = {});
  return {
    type: 'custom',
    async reserveSlot(_, signal) {
      for (;;) {
        await admission.room(least, signal);
        if (open === undefined) return give();
        await new Promise<void>((look, stop) => {
          whenTaken.push(look);
          signal.addEventListener('abort', () => stop(signal.reason), { once: true });
        });
      }
    },
    tryReserveSlot: () => (open === undefined && admission.fits(least) ? give() : null),
    markSlotUsed: ({ permit }) => settle(permit),
    releaseSlot: ({ permit }) => settle(permit),
  };
}
