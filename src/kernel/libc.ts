// The few calls of libc that Node doesn't offer; each throws a KernelError when the kernel refuses.
import { EAGAIN, EINTR, kernelError } from './errno.ts';
import { lastErrno, native, type Pointer } from './ffi.ts';

const libc = 'libc.so.6';
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;
const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;
const F_DUPFD_CLOEXEC = 1030;
const CLONE_NEWNET = 0x4000_0000;
const IF_NAMESIZE = 16;
const AT_FDCWD = -100;
const RENAME_EXCHANGE = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;

const cMmap = native<
  (at: null, length: number, protection: number, flags: number, fd: number, offset: number) => Pointer
>(libc, 'void *mmap(void *addr, size_t length, int prot, int flags, int fd, int64_t offset)');
const cMunmap = native<(at: Pointer, length: number) => number>(libc, 'int munmap(void *addr, size_t length)');
const cFlock = native<(fd: number, operation: number) => number>(libc, 'int flock(int fd, int operation)');
const cFcntl = native<(fd: number, command: number, argument: number) => number>(
  libc,
  'int fcntl(int fd, int cmd, int arg)',
);
const cClose = native<(fd: number) => number>(libc, 'int close(int fd)');
const cMount = native<(source: string, target: string, type: string, flags: number, data: string) => number>(
  libc,
  'int mount(const char *source, const char *target, const char *type, uint64_t flags, const char *data)',
);
const cSocket = native<(family: number, type: number, protocol: number) => number>(
  libc,
  'int socket(int domain, int type, int protocol)',
);
const cGetsockopt = native<(fd: number, level: number, name: number, value: Uint8Array, size: Uint8Array) => number>(
  libc,
  'int getsockopt(int fd, int level, int name, void *value, void *size)',
);
const cSend = native<(fd: number, bytes: Uint8Array, length: number, flags: number) => number>(
  libc,
  'int64_t send(int fd, const void *buf, size_t len, int flags)',
);
const cRecv = native<(fd: number, bytes: Uint8Array, length: number, flags: number) => number>(
  libc,
  'int64_t recv(int fd, void *buf, size_t len, int flags)',
);
const cSetsockopt = native<(fd: number, level: number, name: number, value: Uint8Array, size: number) => number>(
  libc,
  'int setsockopt(int fd, int level, int name, const void *value, uint32_t size)',
);
const cSendto = native<
  (fd: number, bytes: Uint8Array, length: number, flags: number, to: Uint8Array, size: number) => number
>(libc, 'int64_t sendto(int fd, const void *buf, size_t len, int flags, const void *to, uint32_t size)');
const cRecvfrom = native<
  (fd: number, bytes: Uint8Array, length: number, flags: number, from: Uint8Array, size: Uint8Array) => number
>(libc, 'int64_t recvfrom(int fd, void *buf, size_t len, int flags, void *from, void *size)');
const cIoctl = native<(fd: number, request: number, argument: Uint8Array) => number>(
  libc,
  'int ioctl(int fd, uint64_t request, void *arg)',
);
const cIfIndexToName = native<(index: number, name: Uint8Array) => Pointer | null>(
  libc,
  'void *if_indextoname(unsigned int ifindex, void *ifname)',
);
const cRenameat2 = native<(fromFolder: number, from: string, toFolder: number, to: string, flags: number) => number>(
  libc,
  'int renameat2(int olddirfd, const char *oldpath, int newdirfd, const char *newpath, unsigned int flags)',
);
const cSetns = native<(fd: number, type: number) => number>(libc, 'int setns(int fd, int nstype)');
const cClockGetres = native<(clock: number, time: Uint8Array) => number>(
  libc,
  'int clock_getres(int clock, void *time)',
);

/** Shared, for reading and writing. */
export function mmap(fd: number, length: number): Pointer {
  const at = cMmap(null, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at === MAP_FAILED) throw kernelError('mmap', lastErrno(), `${length} bytes`);
  return at;
}

export function munmap(at: Pointer, length: number): void {
  cMunmap(at, length);
}

/** Waits, blocking the process, until nobody else holds it. */
export function flockExclusive(fd: number, subject: string): void {
  retry('flock', subject, () => cFlock(fd, LOCK_EX));
}

/** False when somebody else holds it. */
export function flockNow(fd: number, subject: string): boolean {
  if (cFlock(fd, LOCK_EX | LOCK_NB) === 0) return true;
  const errno = lastErrno();
  if (errno === EAGAIN) return false;
  throw kernelError('flock', errno, subject);
}

export function duplicate(fd: number): number {
  return retry('fcntl', undefined, () => cFcntl(fd, F_DUPFD_CLOEXEC, 3));
}

export function close(fd: number): void {
  cClose(fd);
}

export function mount(type: string, target: string, data: string): void {
  retry('mount', `${type} at ${target}`, () => cMount(type, target, type, 0, data));
}

export function socket(family: number, type: number, protocol: number): number {
  return retry('socket', undefined, () => cSocket(family, type | SOCK_CLOEXEC, protocol));
}

export function socketOption(fd: number, level: number, name: number, size: number): Buffer {
  const value = Buffer.alloc(size);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(size);
  retry('getsockopt', String(name), () => cGetsockopt(fd, level, name, value, length));
  return value;
}

export function send(fd: number, bytes: Uint8Array): void {
  retry('send', undefined, () => cSend(fd, bytes, bytes.length, 0));
}

/** The number of bytes received. */
export function receive(fd: number, bytes: Uint8Array): number {
  return retry('recv', undefined, () => cRecv(fd, bytes, bytes.length, 0));
}

export function setSocketOption(fd: number, level: number, name: number, value: Uint8Array): void {
  retry('setsockopt', String(name), () => cSetsockopt(fd, level, name, value, value.length));
}

/** `to` is a struct sockaddr. Never waits. */
export function sendTo(fd: number, bytes: Uint8Array, to: Uint8Array): void {
  retry('sendto', undefined, () => cSendto(fd, bytes, bytes.length, MSG_DONTWAIT, to, to.length));
}

/** The number of bytes received, and in `from` who sent them; undefined when there is nothing now. */
export function receiveFrom(fd: number, bytes: Uint8Array, from: Uint8Array): number | undefined {
  const size = Buffer.from(Uint32Array.of(from.length).buffer);
  for (;;) {
    const result = cRecvfrom(fd, bytes, bytes.length, MSG_DONTWAIT, from, size);
    if (result !== -1) return result;
    const errno = lastErrno();
    if (errno === EAGAIN) return undefined;
    if (errno !== EINTR) throw kernelError('recvfrom', errno);
  }
}

export function ioctl(fd: number, request: number, argument: Uint8Array, subject: string): void {
  retry('ioctl', subject, () => cIoctl(fd, request, argument));
}

/** An interface of this network namespace. */
export function indexToName(ifindex: number): string | undefined {
  const name = Buffer.alloc(IF_NAMESIZE);
  return cIfIndexToName(ifindex, name) === null ? undefined : name.toString('utf8', 0, name.indexOf(0));
}

/** For the calling thread only. */
export function enterNetworkNamespace(fd: number): void {
  retry('setns', undefined, () => cSetns(fd, CLONE_NEWNET));
}

/** Nanoseconds. */
export function clockResolution(clock: number): number {
  const time = Buffer.alloc(16);
  retry('clock_getres', String(clock), () => cClockGetres(clock, time));
  return Number(time.readBigInt64LE(0)) * 1e9 + Number(time.readBigInt64LE(8));
}

function retry(call: string, subject: string | undefined, attempt: () => number): number {
  for (;;) {
    const result = attempt();
    if (result !== -1) return result;
    const errno = lastErrno();
    if (errno !== EINTR) throw kernelError(call, errno, subject);
  }
}

/** Each gets the other's name, at once. The BPF file system can since Linux 5.16. */
export function exchangeNames(a: string, b: string): void {
  if (cRenameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) !== 0) throw kernelError('renameat2', lastErrno(), a);
}
