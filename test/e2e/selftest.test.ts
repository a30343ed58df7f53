// The kernel's own test of IPVS, with our ipvsadm in the place of its.
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { attempt } from '../../src/lab/command.ts';

const script = fileURLToPath(new URL('selftest.sh', import.meta.url));
const bin = fileURLToPath(new URL('../../bin', import.meta.url));

test.each(['dr', 'nat', 'tun'])('%s', async (method) => {
  const command = ['env', `PATH=${bin}:${process.env.PATH}`, 'bash', script, method];
  const { status, stdout, stderr } = await attempt(command, { timeoutMs: 60_000 });
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: `${method} PASS\n`, stderr: '' });
});
