// Everything that crosses the interfaces of a laboratory, as it was captured, in the order of its times.
import { setTimeout as delay } from 'node:timers/promises';
import { Child, type ChildOptions } from './child.ts';
import { decodeFrame, type Frame } from './packets.ts';
import { createPcapReader } from './pcap.ts';
import { type Host, macOf } from './plan.ts';

export interface Sighting extends Frame {
  readonly timeNs: bigint;
  readonly host: string;
  readonly device: string;
  readonly direction: 'in' | 'out';
}

const snapLength = 512;
const recheckMs = 5;

/** All captures of one laboratory. */
export class Wire implements AsyncDisposable {
  readonly #captures: Child[] = [];
  readonly #sightings: Sighting[] = [];
  #sorted = 0;

  /** Starts one capture for each interface of the host, and waits until they listen. */
  async watch(host: Host, options: Omit<ChildOptions, 'title'>, signal: AbortSignal): Promise<void> {
    await Promise.all(
      host.legs.map(async (leg, index) => {
        const device = `eth${index}`;
        const capture = new Child(tcpdump(device), { ...options, title: `tcpdump on ${host.name}'s ${device}` });
        this.#captures.push(capture);
        const read = createPcapReader();
        const own = macOf(leg.address);
        capture.stdout.on('data', (piece: Buffer) => {
          for (const { timeNs, bytes } of read(piece)) {
            const frame = decodeFrame(bytes);
            if (!frame) continue;
            const direction = frame.source === own ? 'out' : 'in';
            this.#sightings.push({ ...frame, timeNs, host: host.name, device, direction });
          }
        });
        await capture.saying(`listening on ${device}`, 'stderr', signal);
      }),
    );
  }

  /** All that was seen up to now, in the order of time. */
  seen(): readonly Sighting[] {
    if (this.#sorted < this.#sightings.length) {
      this.#sightings.sort((a, b) => Number(a.timeNs - b.timeNs));
      this.#sorted = this.#sightings.length;
    }
    return this.#sightings;
  }

  /** Whether `condition` came true in time: captures lag behind the packets by some milliseconds. */
  async until(condition: () => boolean, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    const deadline = performance.now() + timeoutMs;
    while (!condition()) {
      if (performance.now() > deadline) return false;
      await delay(recheckMs, undefined, { signal });
    }
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#captures.map((capture) => capture[Symbol.asyncDispose]()));
  }
}

/** It ends with the laboratory whatever becomes of that (-Z root: a change of user would forget the death signal). */
function tcpdump(device: string): string[] {
  const capture = ['tcpdump', '-Z', 'root', '-i', device, '--immediate-mode', '--time-stamp-precision=nano'];
  return ['setpriv', '--pdeathsig', 'KILL', ...capture, '-s', String(snapLength), '-U', '-w', '-', 'ip or arp'];
}
