// The ipvs group: instructions a packet of the kernel's IPVS and of Fairlead, on one kernel, in a machine that counts them.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../../test/root.ts';
import { openImage } from '../../test/vm/image.ts';
import { installPackages, ipvsModules, ipvsPackages } from '../../test/vm/ipvs.ts';
import { runInMachine } from '../../test/vm/machine.ts';
import { type Facts, findRow, type Group, type GroupReport, type Limit, medianFigure, type Row } from '../row.ts';
import { countingScript, type Effort } from './script.ts';

const whole: Effort = { packets: 8192, rounds: 3, flows: [1, 1024], newConnections: 4096 };
const quick: Effort = { packets: 1024, rounds: 1, flows: [1], newConnections: 256 };
const limitMs = 900_000;
const memoryMb = 1536;
const connections = 65_536;

export const ipvs: Group = {
  name: 'ipvs',
  title: 'Instructions a packet on one kernel, net of a packet that is dropped when it arrives',
  async measure({ isQuick, say }): Promise<GroupReport> {
    const image = openImage({ modules: ipvsModules, packages: ipvsPackages });
    say(`IPVS and Fairlead in the emulated machine, Linux ${image.release}`);
    const exchange = mkdtempSync(join(tmpdir(), 'fairlead-bench-'));
    try {
      compilePush(join(exchange, 'push'));
      const script = `
        ${installPackages(image)}
        export FAIRLEAD_CONNECTIONS=${connections}
        ${countingScript(isQuick ? quick : whole)}`;
      const how = { exchange, timeoutMs: limitMs, memoryMb, countsInstructions: true };
      const { status, stdout, stderr } = await runInMachine(image, script, how);
      if (status !== 0) throw new Error(`the emulated machine ended with status ${status}: ${stderr}${stdout}`);
      const rows = toRows(stdout);
      return { group: 'ipvs', rows, limits: limitsOf(rows), peers: { 'IPVS of Linux': image.release } };
    } finally {
      rmSync(exchange, { recursive: true, force: true });
    }
  },
};

/** Linked statically: the machine may have another C library. */
function compilePush(target: string): void {
  const words = ['-O2', '-Wall', '-Werror', '-static', '-D_GNU_SOURCE', join(root, 'bench/ipvs/push.c'), '-o', target];
  for (const compiler of ['clang-16', 'clang', 'cc']) {
    const { status, stderr, error } = spawnSync(compiler, words, { encoding: 'utf8' });
    if (status === 0) return;
    if (error === undefined) throw new Error(stderr);
  }
  throw new Error('expected a C compiler to be installed');
}

interface Step {
  readonly words: readonly string[];
  readonly rounds: readonly number[];
}

function toRows(text: string): readonly Row[] {
  const steps = text.split(/^= /m).slice(1).map(toStep);
  const dropped = steps.find(({ words }) => words.join(' ') === 'bare dropped')?.rounds ?? [];
  const floor = medianFigure(dropped).median;
  const rows = steps.map(({ words, rounds }): Row => {
    const [director = '', method = '', state, count, hook] = words;
    const facts: Facts = count === undefined ? {} : { flows: Number(count) };
    const name = state === undefined ? `${director}, ${method}` : `${director} ${method} ${state}`;
    // frames.ts has another floor, and subtracts it.
    const net = rounds.map((one) => (method === 'dropped' || hook !== undefined ? one : one - floor));
    return {
      name: hook === undefined ? name : `${name}, ${hook}`,
      ...facts,
      unit: 'instructions',
      ...medianFigure(net),
    };
  });
  return rows.map((row) => besideIpvs(row, rows));
}

/** The first line is its name, those that are numbers its rounds. */
function toStep(text: string): Step {
  const [name = '', ...lines] = text.split('\n');
  for (const line of lines) {
    const [, sent, of] = /^sent (\d+) of (\d+)$/.exec(line) ?? [];
    // The kernel's own may be among them.
    if (sent !== undefined && Number(sent) < Number(of)) throw new Error(`${name}: ${sent} of ${of} packets came out`);
  }
  return { words: name.split(' '), rounds: lines.filter((line) => /^[\d.]+$/.test(line)).map(Number) };
}

function besideIpvs(row: Row, all: readonly Row[]): Row {
  const to = row.name.replace('fairlead', 'ipvs').replace(', XDP', '');
  const other = to === row.name ? undefined : findRow(all, to, row.flows === undefined ? {} : { flows: row.flows });
  return other === undefined ? row : { ...row, ratio: { to, is: row.median / other.median } };
}

function limitsOf(rows: readonly Row[]): readonly Limit[] {
  const most = { gate: 1 / 3, masq: 1 / 3, tunnel: 1 / 5 } as const;
  return rows.flatMap(({ name, flows, ratio }) => {
    const [director, method = '', state = '', hook] = name.split(/,? /);
    if (director !== 'fairlead' || ratio === undefined) return [];
    const atMost = state === 'new' ? 1 / 2 : most[method as keyof typeof most];
    const where = hook === undefined ? '' : ` at ${hook}`;
    return [{ claim: `${method} ${state}${where}, ${flows} flows, to IPVS's`, atMost, got: ratio.is }];
  });
}
