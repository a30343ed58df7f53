// `npm run conformance`: the same scenarios on the kernel's IPVS and on Fairlead, and where what they print differs.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { chooseScenarios } from './catalogue.ts';
import { type Report, run } from './run.ts';

const usage = `npm run conformance -- [SCENARIO...] [OPTIONS]
  SCENARIO            part of a scenario's name, or the path of a script of your own
  --seed N            what generated scenarios are made from (else a new one each time; it is printed)
  --count N           how many scenarios of each generated kind
  --list              names the scenarios and runs nothing
  --json              one JSON document on standard output
  --transcripts DIR   keeps what both sides printed: DIR/SCENARIO.ipvs and DIR/SCENARIO.fairlead
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string' },
    count: { type: 'string', default: '6' },
    list: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    transcripts: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
const scenarios = chooseScenarios({ words: positionals, seed, count: Number(values.count) });

if (values.help) process.stdout.write(usage);
else if (values.list) process.stdout.write(scenarios.map(({ name }) => `${name}\n`).join(''));
else if (scenarios.length === 0) throw new Error(`no scenario has '${positionals.join("' or '")}' in its name`);
else await main();

async function main(): Promise<void> {
  process.stderr.write(`conformance: ${scenarios.length} scenarios, seed ${seed}\n`);
  const say = (text: string): void => void process.stderr.write(`conformance: ${text}\n`);
  const report = await run(scenarios, { bothKernels: true, say });
  if (values.transcripts !== undefined) keep(values.transcripts, report);
  process.stdout.write(values.json ? `${JSON.stringify(toDocument(report))}\n` : toText(report));
  if (report.verdicts.some(({ isExpected }) => !isExpected)) process.exitCode = 1;
}

function toDocument({ verdicts }: Report): object {
  const agreeing = verdicts.filter(({ disagreements }) => disagreements.length === 0).length;
  const rows = verdicts.map(({ name, disagreements, because, isExpected }) => ({
    ...{ scenario: name, agrees: disagreements.length === 0, expected: isExpected, because: because ?? null },
    disagreements,
  }));
  return { seed, scenarios: verdicts.length, agree: agreeing, verdicts: rows };
}

function toText({ verdicts }: Report): string {
  const lines: string[] = [];
  for (const { name, disagreements, because, isExpected } of verdicts) {
    if (disagreements.length === 0 && isExpected) continue;
    lines.push(`\n=== ${name}: ${disagreements.length === 0 ? 'agrees' : 'disagrees'}`);
    if (because !== undefined) lines.push(`    listed in test/conformance/known.ts: ${because}`);
    for (const { step, ipvs, fairlead } of isExpected ? disagreements.slice(0, 1) : disagreements)
      lines.push(`  ${step}`, ...difference(ipvs, fairlead));
    if (isExpected && disagreements.length > 1) lines.push(`  ... and ${disagreements.length - 1} more steps`);
  }
  const agreeing = verdicts.filter(({ disagreements }) => disagreements.length === 0).length;
  const known = verdicts.filter(
    ({ because, disagreements }) => because !== undefined && disagreements.length > 0,
  ).length;
  const rest = known > 0 ? `, ${known} are known not to` : '';
  return [...lines, '', `${agreeing} of ${verdicts.length} agree${rest} (seed ${seed})`, ''].join('\n');
}

/** Lines that both have are shown once. */
function difference(ipvs: readonly string[], fairlead: readonly string[]): string[] {
  let head = 0;
  while (head < ipvs.length && ipvs[head] === fairlead[head]) head++;
  let tail = 0;
  while (tail < ipvs.length - head && tail < fairlead.length - head && ipvs.at(-1 - tail) === fairlead.at(-1 - tail))
    tail++;
  const middle = (lines: readonly string[], name: string): string[] => {
    const own = lines.slice(head, lines.length - tail);
    return (own.length > 0 ? own : ['(nothing)']).map((line) => `  ${name} | ${line}`);
  };
  const common = (lines: readonly string[]): string[] => lines.map((line) => `           | ${line}`);
  return [
    ...common(ipvs.slice(0, head)),
    ...middle(ipvs, '    IPVS'),
    ...middle(fairlead, 'Fairlead'),
    ...common(ipvs.slice(ipvs.length - tail)),
  ];
}

function keep(folder: string, { verdicts }: Report): void {
  for (const { name, transcripts } of verdicts) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(`${path}.ipvs`, transcripts.ipvs);
    writeFileSync(`${path}.fairlead`, transcripts.fairlead);
  }
}
