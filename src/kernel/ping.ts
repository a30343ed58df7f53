// ICMP echo of both families: one socket each, which all who ask share.
import { EACCES, EPERM, isErrno, KernelError } from './errno.ts';
import { close, receiveFrom, sendTo, setSocketOption, socket } from './libc.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_DGRAM = 2;
const SOCK_RAW = 3;
const SOL_RAW = 255;
const ICMP_FILTER = 1;
const ICMPV6_FILTER = 1;
const SOL_ICMPV6 = 58;
const families = {
  4: { domain: AF_INET, protocol: 1, request: 8, reply: 0 },
  6: { domain: AF_INET6, protocol: 58, request: 128, reply: 129 },
} as const;
type Family = keyof typeof families;

/** How often sockets are looked at while a reply is waited for: Node waits for none of this kind. */
const everyMs = 5;
const headerBytes = 8;
const receiveBytes = 2048;

interface Waiting {
  readonly address: Buffer;
  readonly answered: () => void;
}

/** Dispose when nobody waits for a reply any more. */
export class Pinger implements Disposable {
  readonly #family: Family;
  readonly #fd: number;
  /** The kernel's ping socket has an id of its own, takes its own replies only and no header off them. */
  readonly #isRaw: boolean;
  readonly #id = process.pid & 0xffff;
  readonly #waiting = new Map<number, Waiting>();
  readonly #buffer = Buffer.alloc(receiveBytes);
  readonly #from = Buffer.alloc(28);
  #sequence = Math.floor(Math.random() * 0x10000);
  #timer: NodeJS.Timeout | undefined;

  /** Throws not-root where neither net.ipv4.ping_group_range nor a capability (NET_RAW) allows it. */
  constructor(family: Family) {
    this.#family = family;
    const { fd, isRaw } = openSocket(family);
    this.#fd = fd;
    this.#isRaw = isRaw;
  }

  /** `answered` is called at the first reply, unless the function that is returned was called before. Throws what the kernel refuses. */
  ping(address: readonly number[], answered: () => void): () => void {
    const sequence = this.#nextSequence();
    const stop = (): void => {
      this.#waiting.delete(sequence);
      if (this.#waiting.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
    const bytes = Buffer.from(address);
    this.#waiting.set(sequence, {
      address: bytes,
      answered: () => {
        stop();
        answered();
      },
    });
    try {
      sendTo(this.#fd, this.#request(sequence), socketAddress(this.#family, bytes));
    } catch (error) {
      stop();
      throw error;
    }
    this.#timer ??= setInterval(() => this.#drain(), everyMs);
    return stop;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#waiting.clear();
    close(this.#fd);
  }

  #nextSequence(): number {
    do this.#sequence = (this.#sequence + 1) & 0xffff;
    while (this.#waiting.has(this.#sequence));
    return this.#sequence;
  }

  #request(sequence: number): Buffer {
    const message = Buffer.alloc(headerBytes + 8);
    message.writeUInt8(families[this.#family].request, 0);
    message.writeUInt16BE(this.#id, 4);
    message.writeUInt16BE(sequence, 6);
    message.write('fairlead', headerBytes, 'latin1');
    // ICMPv6's is over a pseudo header too: the kernel computes it.
    if (this.#family === 4) message.writeUInt16BE(internetChecksum(message), 2);
    return message;
  }

  #drain(): void {
    for (;;) {
      const length = this.#receive();
      if (length === undefined) return;
      const message = this.#buffer.subarray(0, length);
      const at = this.#isRaw && this.#family === 4 ? (message.readUInt8(0) & 0xf) * 4 : 0;
      if (length < at + headerBytes || message.readUInt8(at) !== families[this.#family].reply) continue;
      if (this.#isRaw && message.readUInt16BE(at + 4) !== this.#id) continue;
      const waiting = this.#waiting.get(message.readUInt16BE(at + 6));
      if (waiting !== undefined && senderOf(this.#family, this.#from).equals(waiting.address)) waiting.answered();
    }
  }

  /** An ICMP error about an earlier request is told here once, and says no more than silence does. */
  #receive(): number | undefined {
    try {
      return receiveFrom(this.#fd, this.#buffer, this.#from);
    } catch (error) {
      if (error instanceof KernelError) return 0;
      throw error;
    }
  }
}

function openSocket(family: Family): { fd: number; isRaw: boolean } {
  const { domain, protocol } = families[family];
  try {
    return { fd: socket(domain, SOCK_DGRAM, protocol), isRaw: false };
  } catch (error) {
    if (!isErrno(error, EACCES, EPERM)) throw error;
  }
  const fd = socket(domain, SOCK_RAW, protocol);
  try {
    takeRepliesOnly(fd, family);
  } catch (error) {
    close(fd);
    throw error;
  }
  return { fd, isRaw: true };
}

/** Or every message that comes to this machine would wake us: a bit that is set keeps a type out. */
function takeRepliesOnly(fd: number, family: Family): void {
  const { reply } = families[family];
  if (family === 4) {
    setSocketOption(fd, SOL_RAW, ICMP_FILTER, Buffer.from(Uint32Array.of(~(1 << reply)).buffer));
    return;
  }
  const filter = new Uint32Array(8).fill(0xffffffff);
  filter[reply >> 5] = ~(1 << (reply & 31));
  setSocketOption(fd, SOL_ICMPV6, ICMPV6_FILTER, Buffer.from(filter.buffer));
}

function socketAddress(family: Family, address: Buffer): Buffer {
  const bytes = Buffer.alloc(family === 4 ? 16 : 28);
  bytes.writeUInt16LE(families[family].domain, 0);
  address.copy(bytes, family === 4 ? 4 : 8);
  return bytes;
}

function senderOf(family: Family, socketAddressBytes: Buffer): Buffer {
  return family === 4 ? socketAddressBytes.subarray(4, 8) : socketAddressBytes.subarray(8, 24);
}

/** RFC 1071. */
function internetChecksum(message: Buffer): number {
  let sum = 0;
  for (let at = 0; at + 1 < message.length; at += 2) sum += message.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
