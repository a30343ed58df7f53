// The control group: how long commands take, beside the real ipvsadm, which runs in the emulated machine, as Fairlead does there.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../../test/root.ts';
import { openImage } from '../../test/vm/image.ts';
import { installPackages, ipvsModules, ipvsPackages } from '../../test/vm/ipvs.ts';
import { runInMachine } from '../../test/vm/machine.ts';
import {
  findRow,
  type Group,
  type GroupOptions,
  type GroupReport,
  type Limit,
  medianFigure,
  type Row,
} from '../row.ts';
import { deathLimits, deathRows } from './death.ts';
import { tableLines } from './lines.ts';
import { readTimings, timingKey, timingScript } from './script.ts';

interface Effort {
  readonly lines: readonly number[];
  readonly runs: number;
  /** The emulated machine is some twenty times as slow. */
  readonly emulated: { readonly runs: number } | undefined;
}

const whole: Effort = { lines: [10, 1000, 100_000], runs: 3, emulated: { runs: 1 } };
const quick: Effort = { lines: [10, 1000], runs: 1, emulated: undefined };
const steps = ['start', 'list', 'save', 'restore', 'first-restore'] as const;
const ipvsadm = join(root, 'bin/ipvsadm');
const fairlead = join(root, 'bin/fairlead');
const emulatedLimitMs = 1_200_000;
const emulatedMemoryMb = 3072;

export const control: Group = {
  name: 'control',
  title: 'How long commands take',
  async measure(options): Promise<GroupReport> {
    const effort = options.isQuick ? quick : whole;
    const folder = mkdtempSync(join(tmpdir(), 'fairlead-bench-'));
    try {
      for (const lines of effort.lines) writeFileSync(join(folder, `table-${lines}`), tableLines(lines));
      const rows = [
        ...hereRows(effort, folder, options),
        ...applyRows(effort, folder, options),
        ...(await lastPacketRows(effort, folder, options)),
      ];
      const machine = effort.emulated === undefined ? undefined : await emulatedRows(effort, folder, options);
      const all = [...rows, ...(machine?.rows ?? [])];
      return { group: 'control', rows: all, limits: limitsOf(all), ...(machine && { peers: machine.peers }) };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

function hereRows({ lines, runs }: Effort, folder: string, { say }: GroupOptions): readonly Row[] {
  say("Fairlead's ipvsadm, here");
  const table = (count: number): string => join(folder, `table-${count}`);
  const script = timingScript({ ipvsadm, table, lines, runs, reset: `${fairlead} detach >/dev/null` });
  return toRows('Fairlead', lines, inNamespace(script));
}

/** Of what `ipvsadm -S` says of the same tables, as YAML: new, unchanged, and with another weight. */
function applyRows({ lines, runs }: Effort, folder: string, { say }: GroupOptions): readonly Row[] {
  say('fairlead apply');
  const parts = lines.map((count) => {
    for (const weight of [1, 2]) {
      const text = join(folder, `text-${count}-${weight}`);
      writeFileSync(text, tableLines(count, weight));
      writeFileSync(`${text}.yaml`, execFileSync(fairlead, ['import', 'ipvsadm', text], { maxBuffer: 2 ** 28 }));
    }
    const file = (weight: number): string => join(folder, `text-${count}-${weight}.yaml`);
    return `
      lines=${count}
      ${fairlead} detach >/dev/null
      ${ipvsadm} -R <${join(folder, `table-${count}`)}
      ${ipvsadm} -C
      timed apply-new ${file(1)}
      for run in ${Array.from({ length: runs }, (_, run) => run).join(' ')}; do
        timed apply-unchanged ${file(1)}
        timed apply-weight ${file(2)}
        ${fairlead} apply ${file(1)} >/dev/null
      done`;
  });
  const script = `
    timed() {
      local start=$EPOCHREALTIME end
      ${fairlead} apply "$2" >/dev/null || exit 1
      end=$EPOCHREALTIME
      echo "$1 $lines $(( \${end/./} - \${start/./} ))"
    }
    ${parts.join('\n')}`;
  const timings = readTimings(inNamespace(script));
  const names = {
    'apply-new': 'fairlead apply, all new',
    'apply-unchanged': 'fairlead apply, unchanged',
    'apply-weight': 'fairlead apply, one weight',
  } as const;
  return Object.entries(names).flatMap(([step, name]) =>
    lines.map((count) => ({
      ...{ name, lines: count, unit: 's' },
      ...medianFigure(timings.get(timingKey(step, count)) ?? []),
    })),
  );
}

async function lastPacketRows({ runs }: Effort, folder: string, { say }: GroupOptions): Promise<readonly Row[]> {
  say('packets to a real server that has died');
  return await deathRows(fairlead, folder, runs);
}

/** Both on the same kernel and the same processor, one after the other. */
async function emulatedRows(
  { lines, emulated }: Effort,
  folder: string,
  { say }: GroupOptions,
): Promise<{ readonly rows: readonly Row[]; readonly peers: Readonly<Record<string, string>> }> {
  const image = openImage({ modules: ipvsModules, packages: ipvsPackages });
  say(`the real ipvsadm and Fairlead's in the emulated machine, Linux ${image.release}`);
  const exchange = join(folder, 'exchange');
  mkdirSync(exchange);
  for (const count of lines) writeFileSync(join(exchange, `table-${count}`), tableLines(count));
  const options = { table: (count: number): string => `/mnt/table-${count}`, lines, runs: emulated?.runs ?? 1 };
  const real = timingScript({ ...options, ipvsadm: '/usr/sbin/ipvsadm', reset: '/usr/sbin/ipvsadm -C' });
  const own = timingScript({ ...options, ipvsadm, reset: `${fairlead} detach >/dev/null` });
  for (const [name, text] of [
    ['real', real],
    ['own', own],
  ] as const) {
    writeFileSync(join(exchange, name), text);
  }
  const script = `
    ${installPackages(image)}
    /usr/sbin/ipvsadm --version
    echo ==; bash /mnt/real; echo ==; bash /mnt/own`;
  const limits = { timeoutMs: emulatedLimitMs, memoryMb: emulatedMemoryMb };
  const { status, stdout, stderr } = await runInMachine(image, script, { exchange, ...limits });
  if (status !== 0) throw new Error(`the emulated machine ended with status ${status}: ${stderr}`);
  const [version = '', ofReal = '', ofOwn = ''] = stdout.split('==\n');
  const realRows = toRows('real ipvsadm, emulated', lines, ofReal);
  const ownRows = toRows('Fairlead, emulated', lines, ofOwn).map((row) => besideReal(row, realRows));
  return { rows: [...realRows, ...ownRows], peers: { ipvsadm: version.trim(), 'its kernel': image.release } };
}

function besideReal(row: Row, real: readonly Row[]): Row {
  const to = row.name.replace('Fairlead', 'real ipvsadm');
  const other = findRow(real, to, row.lines === undefined ? {} : { lines: row.lines });
  return other === undefined ? row : { ...row, ratio: { to, is: row.median / other.median } };
}

function toRows(who: string, lines: readonly number[], text: string): readonly Row[] {
  const timings = readTimings(text);
  return steps.flatMap((step) =>
    lines.map((count) => {
      const samples = timings.get(timingKey(step, count));
      if (samples === undefined) throw new Error(`${who}: ${step} of ${count} lines was not timed: ${text}`);
      return { name: `${who}, ${step}`, lines: count, unit: 's', ...medianFigure(samples) };
    }),
  );
}

/** In a network namespace that goes with what was attached in it. */
function inNamespace(script: string): string {
  const name = `fairlead-bench-${process.pid}-${randomBytes(3).toString('hex')}`;
  const ip = (...words: readonly string[]): void =>
    void execFileSync('ip', words, { stdio: ['ignore', 'ignore', 'inherit'] });
  ip('netns', 'add', name);
  try {
    for (const command of [
      'link set lo up',
      'link add d0 type veth peer name r0',
      'link set d0 up',
      'link set r0 up',
    ]) {
      ip('-n', name, ...command.split(' '));
    }
    return execFileSync('ip', ['netns', 'exec', name, 'bash', '-e'], { input: script, encoding: 'utf8' });
  } finally {
    execFileSync('ip', ['netns', 'exec', name, fairlead, 'detach'], { stdio: 'ignore' });
    ip('netns', 'del', name);
  }
}

function limitsOf(rows: readonly Row[]): readonly Limit[] {
  const seconds = (name: string, lines: number): number => findRow(rows, name, { lines })?.median ?? Number.NaN;
  const lines = Math.max(...rows.map((row) => row.lines ?? 0));
  const own = seconds('Fairlead, emulated, restore', lines);
  // After `-C` the kernel keeps what it has deleted for a while and looks through it for each that is new: its better case counts.
  const real = Math.min(
    ...['restore', 'first-restore'].map((step) => seconds(`real ipvsadm, emulated, ${step}`, lines)),
  );
  return [
    ...deathLimits(rows),
    { claim: 'ipvsadm -Ln of 10 lines, seconds', atMost: 0.12, got: seconds('Fairlead, list', 10) },
    ...(Number.isNaN(own)
      ? []
      : [{ claim: `restore of ${lines} lines to the real ipvsadm's best, both emulated`, atMost: 1, got: own / real }]),
  ];
}
