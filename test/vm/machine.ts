// Runs a script in an emulated machine with the kernel that Debian 12 has, on a copy-on-write view of this host's files.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../root.ts';
import { encodeCpio, file, folder } from './cpio.ts';
import type { Image } from './image.ts';

export interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * As root, in the tree's folder, with the paths of the host: `node`, `ip` and bin/ipvsadm work as they do outside. Nothing
 * that the script writes is seen by the host, except what it writes to /mnt, which is the folder `exchange` if one is given.
 * There is no network but what the script makes. `countsInstructions`: a nanosecond of its clock is an instruction, and no chance
 * is in what it does.
 */
export async function runInMachine(
  image: Image,
  script: string,
  options: { timeoutMs?: number; memoryMb?: number; exchange?: string; countsInstructions?: boolean } = {},
): Promise<Outcome> {
  const { timeoutMs = 600_000, memoryMb = 1024, countsInstructions = false } = options;
  const work = mkdtempSync(join(tmpdir(), 'fairlead-vm-'));
  try {
    const exchange = options.exchange ?? join(work, 'exchange');
    mkdirSync(exchange, { recursive: true });
    writeFileSync(join(exchange, 'start'), toStart(script));
    writeFileSync(join(work, 'initrd'), toInitrd(image));
    const log = await boot(image, work, exchange, { memoryMb, timeoutMs, countsInstructions });
    const read = (name: string): string =>
      existsSync(join(exchange, name)) ? readFileSync(join(exchange, name), 'utf8') : '';
    const [status, stdout, stderr] = [read('status'), read('stdout'), read('stderr')];
    if (status === '') throw new Error(`the machine did not finish the script\n${stdout}${stderr}\n${log}`);
    return { status: Number(status), stdout, stderr };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** What process 1 does once it has its root: /mnt is the exchange folder, the last line switches the machine off. */
function toStart(script: string): string {
  return [
    `export PATH=${process.env.PATH} HOME=/root LC_ALL=C.UTF-8`,
    `( cd '${root}' && {\n${script}\n} ) >/mnt/stdout 2>/mnt/stderr </dev/null`,
    'echo $? >/mnt/status',
    'echo o >/proc/sysrq-trigger; read -r forever </dev/zero',
    '',
  ].join('\n');
}

function toInitrd({ busybox, modules }: Image): Buffer {
  const names = readdirSync(modules).sort();
  return encodeCpio([
    ...['bin', 'modules', 'proc', 'dev', 'host', 'memory', 'root'].map(folder),
    file('bin/busybox', readFileSync(busybox), 0o755),
    file('init', readFileSync(join(root, 'test/vm/init.sh')), 0o755),
    file('modules/order', Buffer.from(`${names.join('\n')}\n`)),
    ...names.map((name) => file(`modules/${name}`, readFileSync(join(modules, name)))),
  ]);
}

interface Hardware {
  readonly memoryMb: number;
  readonly timeoutMs: number;
  readonly countsInstructions: boolean;
}

/** Resolves, when the machine is off, to what its console said. */
function boot(
  image: Image,
  work: string,
  exchange: string,
  { memoryMb, timeoutMs, countsInstructions }: Hardware,
): Promise<string> {
  const share = (tag: string, path: string, more: string): string[] => [
    ...['-fsdev', `local,id=${tag},path=${path},security_model=none,multidevs=remap${more}`],
    ...['-device', `virtio-9p-pci,fsdev=${tag},mount_tag=${tag}`],
  ];
  const args = [
    ...(countsInstructions ? ['-icount', 'shift=0,sleep=off', '-seed', '1', '-rtc', 'clock=vm'] : []),
    ...[
      '-machine',
      'pc,accel=tcg',
      '-cpu',
      countsInstructions ? 'max,-rdrand,-rdseed' : 'max',
      '-smp',
      '1',
      '-m',
      `${memoryMb}`,
      '-nodefaults',
      '-display',
      'none',
    ],
    ...['-no-reboot', '-serial', 'stdio', '-kernel', image.kernel, '-initrd', join(work, 'initrd')],
    ...['-append', 'console=ttyS0 quiet panic=-1 mitigations=off audit=0 tsc=reliable nokaslr'],
    ...share('host', '/', ',readonly=on'),
    ...share('exchange', exchange, ''),
  ];
  return new Promise((resolve, reject) => {
    // The machine goes with this process, however that ends.
    const command = ['--pdeathsig', 'TERM', 'timeout', '-k', '5', `${timeoutMs / 1000}`, 'qemu-system-x86_64', ...args];
    const qemu = spawn('setpriv', command, { stdio: ['ignore', 'pipe', 'pipe'] });
    const log: Buffer[] = [];
    for (const stream of [qemu.stdout, qemu.stderr]) stream.on('data', (chunk: Buffer) => log.push(chunk));
    qemu.on('error', reject);
    qemu.on('close', () => resolve(Buffer.concat(log).toString()));
  });
}
