// Command lines of the doctor that are wrong in themselves: a clear message, the right exit status, and nothing is looked at.
import { expect, test } from 'vitest';
import { runDoctor } from './main.ts';

test.each(['0.0.0.0', '::', '224.0.0.1', 'ff02::1', '255.255.255.255', '127.0.0.1', '::1', '10.0.0', '10.0.0.1/24'])(
  '%s is no client',
  async (address) => {
    expect(await run('--client', address)).toEqual({
      status: 2,
      stdout: '',
      stderr: `fairlead doctor: --client: expected a client's address, got "${address}"\n`,
    });
  },
);

test('a client is for directors and real servers', async () => {
  expect(await run('--client', '192.0.2.1', '10.0.0.1:80')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('--client and --port are for directors and real servers'),
  });
});

async function run(...argv: readonly string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  let [stdout, stderr] = ['', ''];
  const status = await runDoctor(argv, {
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
  });
  return { status, stdout, stderr };
}
