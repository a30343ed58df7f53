// What the kernel refused: system call or library function, errno by name and number.
import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';
import { FairleadError } from '../model/error.ts';

export class KernelError extends FairleadError {
  /** The system call or library function that failed. */
  readonly call: string;
  /** EEXIST, ENOENT, ...; E<number> when it has no name. */
  readonly errnoName: string;
  readonly errno: number;

  constructor(
    call: string,
    errno: number,
    options: { subject?: string | undefined; detail?: string | undefined; hint?: string } = {},
  ) {
    const subject = options.subject === undefined ? '' : ` ${options.subject}`;
    const detail = options.detail === undefined ? '' : `\n${options.detail}`;
    super(
      'kernel',
      `${call}${subject}: ${describe(errno)}${detail}`,
      options.hint === undefined ? {} : { hint: options.hint },
    );
    this.name = 'KernelError';
    this.call = call;
    this.errno = errno;
    this.errnoName = errnoName(errno);
  }
}

/** ENOTSUPP of the kernel's own include/linux/errno.h: it leaks to user space, but libc has no name for it. */
export const ENOTSUPP = 524;

export const {
  E2BIG,
  EACCES,
  EAGAIN,
  EBADF,
  EBUSY,
  EEXIST,
  EINTR,
  EINVAL,
  ENODEV,
  ENOENT,
  ENOLINK,
  ENOMEM,
  ENOSPC,
  ENOSYS,
  EOPNOTSUPP,
  EPERM,
} = constants.errno;

/** A refusal as the error that it means to the user: no privilege, no BPF, or just the kernel's own answer. */
export function kernelError(call: string, errno: number, subject?: string, detail?: string): FairleadError {
  const cause = new KernelError(call, errno, { subject, detail });
  if ((errno === EPERM || errno === EACCES) && process.geteuid?.() !== 0) {
    return new FairleadError('not-root', cause.message, { cause, hint: 'run it as root' });
  }
  if (errno === EPERM && call.startsWith('bpf_') && detail === undefined) {
    return new FairleadError('no-bpf', cause.message, {
      cause,
      hint: 'a container needs the capabilities BPF, NET_ADMIN and PERFMON, or must be privileged',
    });
  }
  if (errno === ENOSYS && call.startsWith('bpf_')) {
    return new FairleadError('no-bpf', cause.message, {
      cause,
      hint: 'the kernel must be built with CONFIG_BPF_SYSCALL',
    });
  }
  return cause;
}

/** Passes a result >= 0 through; libbpf and our own wrappers return -errno otherwise. */
export function check(call: string, result: number, subject?: string): number {
  if (result < 0) throw kernelError(call, -result, subject);
  return result;
}

/** Runs a function of node:fs, whose failure becomes the same error as a refused call of ours. */
export function attempt<T>(call: string, subject: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const { errno } = error as NodeJS.ErrnoException;
    throw errno === undefined ? error : kernelError(call, -errno, subject);
  }
}

export function isErrno(error: unknown, ...errnos: readonly number[]): boolean {
  if (error instanceof KernelError) return errnos.includes(error.errno);
  return error instanceof FairleadError && error.cause !== undefined && isErrno(error.cause, ...errnos);
}

function errnoName(errno: number): string {
  if (errno === ENOTSUPP) return 'ENOTSUPP';
  const known = Object.entries(constants.errno).find(([, value]) => value === errno);
  return known?.[0] ?? `E${errno}`;
}

function describe(errno: number): string {
  const text = getSystemErrorMap().get(-errno)?.[1];
  return text === undefined ? errnoName(errno) : `${text} (${errnoName(errno)})`;
}
