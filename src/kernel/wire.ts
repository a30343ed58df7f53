// Whole frames of this network namespace's interfaces: sent as they are, and seen as they come in.
import { close, receiveFrom, sendTo, socket } from './libc.ts';

const AF_PACKET = 17;
const SOCK_RAW = 3;
const ETH_P_ALL = 3;
const PACKET_OUTGOING = 4;
/** struct sockaddr_ll. */
const addressBytes = 20;
const frameBytes = 65_536;
/** How often frames are looked at while one is waited for: Node waits for none of this kind. */
const everyMs = 2;

export interface Sighting {
  readonly ifindex: number;
  readonly frame: Buffer;
}

type Listener = (sighting: Sighting) => void;

/** Dispose when nobody waits for a frame any more. */
export class Wire implements Disposable {
  readonly #fd = socket(AF_PACKET, SOCK_RAW, ((ETH_P_ALL & 0xff) << 8) | (ETH_P_ALL >> 8));
  readonly #listeners = new Set<Listener>();
  readonly #buffer = Buffer.alloc(frameBytes);
  readonly #from = Buffer.alloc(addressBytes);
  #timer: NodeJS.Timeout | undefined;

  send(ifindex: number, frame: Uint8Array): void {
    const to = Buffer.alloc(addressBytes);
    to.writeUInt16LE(AF_PACKET, 0);
    to.writeInt32LE(ifindex, 4);
    sendTo(this.#fd, frame, to);
  }

  /** What `read` makes of frames that come in, until `timeoutMs` are over or, with `isOne`, at the first. */
  async collect<T>(
    read: (sighting: Sighting) => T | undefined,
    timeoutMs: number,
    { isOne = false } = {},
  ): Promise<readonly T[]> {
    const found: T[] = [];
    await new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#listeners.delete(listener);
        if (this.#listeners.size === 0) this.#rest();
        resolve();
      };
      const listener: Listener = (sighting) => {
        const one = read(sighting);
        if (one === undefined) return;
        found.push(one);
        if (isOne) end();
      };
      const timer = setTimeout(() => {
        this.#drain(); // what has come while the process was busy came in time
        end();
      }, timeoutMs);
      this.#listeners.add(listener);
      this.#timer ??= setInterval(() => this.#drain(), everyMs);
    });
    return found;
  }

  [Symbol.dispose](): void {
    this.#rest();
    close(this.#fd);
  }

  #rest(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #drain(): void {
    for (;;) {
      const length = receiveFrom(this.#fd, this.#buffer, this.#from);
      if (length === undefined) return;
      if (this.#from.readUInt8(10) === PACKET_OUTGOING) continue;
      const sighting = { ifindex: this.#from.readInt32LE(4), frame: Buffer.from(this.#buffer.subarray(0, length)) };
      for (const listener of [...this.#listeners]) listener(sighting);
    }
  }
}
