// Whole frames of this network namespace's interfaces: sent as they are, and seen as they come in.
import { isErrno } from './errno.ts';
import { close, receiveFrom, sendTo, setSocketOption, socket } from './libc.ts';

const AF_PACKET = 17;
const SOCK_RAW = 3;
const ETH_P_ALL = 3;
const PACKET_OTHERHOST = 3;
const PACKET_OUTGOING = 4;
const SOL_PACKET = 263;
const PACKET_QDISC_BYPASS = 20;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
/** Frames wait there while this process does something else. */
const receiveBytes = 16 << 20;
/** struct sockaddr_ll. */
const addressBytes = 20;
const frameBytes = 65_536;
/** How often frames are looked at while one is waited for: Node waits for none of this kind. */
const everyMs = 2;

/** ENXIO, ENODEV, EAGAIN, ENETDOWN, ENOBUFS. */
const unsendable = [6, 19, 11, 100, 105];

export interface Sighting {
  readonly ifindex: number;
  readonly frame: Buffer;
  /** It left this machine. */
  readonly isOutgoing: boolean;
}

type Listener = (sighting: Sighting) => void;

/** Dispose when nobody waits for a frame any more. */
export class Wire implements Disposable {
  readonly #fd = socket(AF_PACKET, SOCK_RAW, ((ETH_P_ALL & 0xff) << 8) | (ETH_P_ALL >> 8));
  readonly #listeners = new Set<Listener>();
  readonly #buffer = Buffer.alloc(frameBytes);
  readonly #from = Buffer.alloc(addressBytes);
  #timer: NodeJS.Timeout | undefined;

  constructor() {
    // Past what stands at egress: our own program there would take a frame for the director's own request, and schedule it.
    setSocketOption(this.#fd, SOL_PACKET, PACKET_QDISC_BYPASS, toInt(1));
    setSocketOption(this.#fd, SOL_SOCKET, SO_RCVBUFFORCE, toInt(receiveBytes));
  }

  /** False when the interface takes none now: it is down, or full. */
  send(ifindex: number, frame: Uint8Array): boolean {
    const to = Buffer.alloc(addressBytes);
    to.writeUInt16LE(AF_PACKET, 0);
    to.writeInt32LE(ifindex, 4);
    try {
      sendTo(this.#fd, frame, to);
      return true;
    } catch (error) {
      if (isErrno(error, ...unsendable)) return false;
      throw error;
    }
  }

  /**
   * What `read` makes of frames that come in for this machine, which not all are that a switch brings, until `timeoutMs` are over or, with `isOne`, at the first; with `isOutgoing` of
   * those that this machine sends, but for our own.
   */
  async collect<T>(
    read: (sighting: Sighting) => T | undefined,
    timeoutMs: number,
    { isOne = false, isOutgoing = false }: { readonly isOne?: boolean; readonly isOutgoing?: boolean } = {},
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
        const one = sighting.isOutgoing === isOutgoing ? read(sighting) : undefined;
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
      const type = this.#from.readUInt8(10);
      if (type === PACKET_OTHERHOST) continue;
      const sighting = {
        ifindex: this.#from.readInt32LE(4),
        frame: Buffer.from(this.#buffer.subarray(0, length)),
        isOutgoing: type === PACKET_OUTGOING,
      };
      for (const listener of [...this.#listeners]) listener(sighting);
    }
  }
}

function toInt(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}
