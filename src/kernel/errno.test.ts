// What a refusal of the kernel means to the user.
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  attempt,
  check,
  EACCES,
  EEXIST,
  ENOENT,
  ENOSYS,
  ENOTSUPP,
  EPERM,
  isErrno,
  KernelError,
  kernelError,
} from './errno.ts';

afterEach(() => vi.restoreAllMocks());

describe('a refusal', () => {
  test('names call, subject and errno', () => {
    const error = kernelError('bpf_map_create', EEXIST, 'flows', 'the log');
    expect(error).toBeInstanceOf(KernelError);
    expect(error).toMatchObject({ code: 'kernel', call: 'bpf_map_create', errno: 17, errnoName: 'EEXIST' });
    expect(error.message).toBe('bpf_map_create flows: file already exists (EEXIST)\nthe log');
  });

  test.each([
    [ENOTSUPP, 'mmap: ENOTSUPP'],
    [9999, 'mmap: E9999'],
  ])('with errno %i, which libc has no words for, still has a name', (errno, message) => {
    expect(kernelError('mmap', errno).message).toBe(message);
  });

  const meanings = [
    ['of anything to a user who is not root', 'mount', EPERM, 1000, 'not-root'],
    ['of a file to a user who is not root', 'open', EACCES, 1000, 'not-root'],
    ['of bpf to root', 'bpf_map_create', EPERM, 0, 'no-bpf'],
    ['of anything else to root', 'mount', EPERM, 0, 'kernel'],
    ['by a kernel without bpf', 'bpf_obj_get', ENOSYS, 0, 'no-bpf'],
  ] as const;
  test.each(meanings)('%s', (_, call, errno, user, code) => {
    vi.spyOn(process, 'geteuid').mockReturnValue(user);
    const error = kernelError(call, errno);
    expect(error.code).toBe(code);
    expect(isErrno(error, errno)).toBe(true);
    expect(isErrno(error, EEXIST)).toBe(false);
  });
});

test('check passes results and throws refusals', () => {
  expect(check('open', 5)).toBe(5);
  expect(() => check('open', -ENOENT, '/x')).toThrow('open /x: no such file or directory (ENOENT)');
});

test('attempt turns what node:fs throws into the same errors, and leaves other errors alone', () => {
  const read = () => attempt('read', 'it', () => readFileSync('/nonexistent'));
  expect(read).toThrow('read it: no such file or directory (ENOENT)');
  const fail = () => attempt('read', 'it', () => JSON.parse('{'));
  expect(fail).toThrow(SyntaxError);
});
