// What a director costs and what it carries, as tables for a person or, with --json, as one document. Started by main.ts.
import { setPriority } from 'node:os';
import { parseArgs } from 'node:util';
import { describeMachine } from './report/machine.ts';
import { toDocument, writeResults } from './report/results.ts';
import { formatTable } from './report/table.ts';
import { type Group, type GroupName, type GroupReport, groups } from './row.ts';

const usage = `npm run bench -- [GROUP...] [OPTIONS]
  packet           CPU time a packet, by test runs of the eBPF programs (if no group is named)
  live             million frames a second at XDP that arrive, by one core and two
  end-to-end       what a client gets through Fairlead, plain routing, nftables, HAProxy and nginx, and what CPU time that takes
  scale            what connections, services and destinations cost when there are many
  control          how long ipvsadm's commands and fairlead apply take, beside the real ipvsadm in an emulated machine
  ipvs             instructions a packet of IPVS and of Fairlead, and a connection of others too, on one kernel in an emulated machine
  --json           one JSON document on standard output
  --quick          small tables and few runs: whether it works, not what it costs
  --results DIR    where GROUP.json and GROUP.svg are written; bench/results if not given, and nowhere if --quick
  --help
`;

/** Loaded when it is asked for: a group may need what others do without. */
const open: Readonly<Partial<Record<GroupName, () => Promise<Group>>>> = {
  packet: async () => (await import('./packet/group.ts')).packet,
  'end-to-end': async () => (await import('./end-to-end/group.ts')).endToEnd,
  control: async () => (await import('./control/group.ts')).control,
  live: async () => (await import('./live/group.ts')).live,
  scale: async () => (await import('./scale/group.ts')).scale,
  ipvs: async () => (await import('./ipvs/group.ts')).ipvs,
};

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const wanted = readArguments(args);
  if (typeof wanted === 'string') return refuse(wanted);
  if (wanted.help) {
    process.stdout.write(usage);
    return 0;
  }
  if (process.getuid?.() !== 0) return refuse('needs root: it makes network namespaces and loads eBPF programs');
  setPriority(-10);
  const machine = describeMachine();
  const reports: GroupReport[] = [];
  for (const name of wanted.groups) {
    const group = await open[name]?.();
    if (group === undefined) return refuse(`there is no group ${name}`);
    const say = (text: string): void => void process.stderr.write(`bench: ${name}: ${text}\n`);
    const report = await group.measure({ isQuick: wanted.isQuick, say });
    reports.push(report);
    if (!wanted.json) process.stdout.write(formatTable(group.title, report));
    if (wanted.results !== undefined) {
      for (const path of await writeResults(wanted.results, group.title, report, machine)) say(`wrote ${path}`);
    }
  }
  if (wanted.json) process.stdout.write(`${JSON.stringify(toDocument(reports, machine))}\n`);
  return 0;
}

interface Arguments {
  readonly groups: readonly GroupName[];
  readonly json: boolean;
  readonly isQuick: boolean;
  readonly help: boolean;
  readonly results: string | undefined;
}

/** Or what is wrong with them. */
function readArguments(args: readonly string[]): Arguments | string {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        json: { type: 'boolean', default: false },
        quick: { type: 'boolean', default: false },
        results: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    const known = groups.filter((group) => group in open);
    const wrong = positionals.find((word) => !known.some((group) => group === word));
    if (wrong !== undefined) return `expected one of ${known.join(', ')}, got ${wrong}`;
    const { json, help, quick: isQuick, results = isQuick ? undefined : 'bench/results' } = values;
    const wanted = known.filter((group) => positionals.includes(group));
    return { groups: wanted.length === 0 ? ['packet'] : wanted, json, isQuick, help, results };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function refuse(text: string): number {
  process.stderr.write(`bench: ${text}\n${usage}`);
  return 2;
}
