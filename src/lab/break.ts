// Breaks laboratories, lets the doctor find out, and mends them by the doctor's own commands.
import { machineItself, type Problem } from '../doctor/problem.ts';
import { FairleadError } from '../model/error.ts';
import { type Breakage, breakages, type OnHost } from './breakages.ts';
import { attempt, run } from './command.ts';
import { fairlead, packageRoot } from './director.ts';
import { addressOf, type LabType, type Plan } from './plan.ts';
import { httpPort, realServers, udpPort } from './plans/addresses.ts';
import { plans } from './plans/plans.ts';
import type { Say } from './run.ts';
import { openScene, type Scene } from './scene.ts';
import { listNamespaces, namespacesOf } from './topology.ts';

export interface BreakageResult {
  readonly name: string;
  readonly found: boolean;
  /** The doctor's commands were run: it is silent, and requests are answered by all real servers. */
  readonly mended: boolean;
  /** What else the doctor told of, and on which host. */
  readonly falseAlarms: readonly string[];
}

/** Each breakage of the type, one after the other, in one laboratory; `healthy-TYPE` is the one without any. */
export async function breakType(
  type: LabType,
  prefix: string,
  say: Say,
  signal: AbortSignal,
): Promise<readonly BreakageResult[]> {
  await using scene = await openScene(plans[type], prefix, signal);
  const results = [await stayHealthy(scene)];
  tell(results[0], say);
  for (const breakage of breakages) {
    if (breakage.type !== type) continue;
    const result = await breakAndMend(breakage, scene);
    results.push(result);
    tell(result, say);
  }
  return results;
}

/** In the laboratory that was kept. Returns what to say. */
export async function breakOne(name: string, prefix: string): Promise<readonly string[]> {
  const type = await keptType(prefix);
  const breakage = breakages.find((one) => one.name === name && one.type === type);
  if (breakage === undefined) {
    const names = breakages.filter((one) => one.type === type).map((one) => one.name);
    throw new FairleadError('bad-input', `the ${type} laboratory can be broken by ${names.join(', ')}; got ${name}`);
  }
  await breakage.apply(onHosts(prefix), plans[type]);
  return [
    `The ${type} laboratory is broken. Find out how:`,
    `  ip netns exec ${prefix}director ${fairlead} doctor`,
    ...realServers.map((host) => `  ip netns exec ${prefix}${host} ${fairlead} doctor`),
  ];
}

async function stayHealthy(scene: Scene): Promise<BreakageResult> {
  const told = await consult(scene);
  return {
    name: `healthy-${scene.plan.type}`,
    found: true,
    mended: await isAnswered(scene),
    falseAlarms: told.map(formatTold),
  };
}

async function breakAndMend(breakage: Breakage, scene: Scene): Promise<BreakageResult> {
  try {
    await breakage.apply(onHosts(scene.prefix, scene.signal), scene.plan);
    const told = await consult(scene);
    const expected = [breakage.name, ...(breakage.consequences ?? [])];
    for (const one of told) await obey(one, scene);
    const answered = await isAnswered(scene);
    const rest = await consult(scene);
    return {
      name: breakage.name,
      found: told.some(({ problem }) => problem.id === breakage.name),
      mended: rest.length === 0 && answered,
      falseAlarms: [...told.filter(({ problem }) => !expected.includes(problem.id)), ...rest].map(formatTold),
    };
  } finally {
    // Also when it is stopped, for one of them has changed a setting of the machine's.
    await breakage.undo?.(onHosts(scene.prefix), scene.plan).catch(() => undefined);
  }
}

interface Told {
  readonly host: string;
  readonly problem: Problem;
}

/** What the doctor says on the director and on each real server. */
async function consult({ plan, prefix, signal }: Scene): Promise<readonly Told[]> {
  const hosts = plan.hosts.map(({ name }) => name).filter((name) => name === 'director' || name.startsWith('rs'));
  const told = await Promise.all(
    hosts.map(async (host) => {
      const { stdout, stderr } = await attempt(
        [fairlead, 'doctor', '-o', 'json'],
        { namespace: prefix + host },
        signal,
      );
      if (stdout === '') throw new FairleadError('kernel', `fairlead doctor on ${host} said: ${stderr.trim()}`);
      const { problems } = JSON.parse(stdout) as { readonly problems: readonly Problem[] };
      return problems.map((problem) => ({ host, problem }));
    }),
  );
  return told.flat();
}

/** Where the command is for another machine, it is run there, if the laboratory has it. */
async function obey({ host, problem: { mend } }: Told, { plan, prefix, signal }: Scene): Promise<void> {
  const where = mend.on === undefined ? host : await findHost(mend.on, plan, prefix, signal);
  if (where === undefined) return;
  const script = `PATH=${packageRoot}bin:$PATH\n${mend.command}\n`;
  await attempt(['sh', '-e'], { ...placeOf(where, prefix), input: script }, signal);
}

/** By its address, or by a MAC in what the doctor says. */
async function findHost(on: string, plan: Plan, prefix: string, signal: AbortSignal): Promise<string | undefined> {
  const known = plan.hosts.find(({ name }) => name.startsWith('rs') && addressOf(plan, name) === on)?.name;
  const mac = /(?:[\da-f]{2}:){5}[\da-f]{2}/.exec(on)?.[0];
  if (on === machineItself) return machineItself;
  if (known !== undefined || mac === undefined) return known;
  for (const namespace of namespacesOf(plan, prefix)) {
    const { stdout } = await run(['ip', '-o', 'link'], { namespace }, signal);
    if (stdout.includes(`link/ether ${mac} `)) return namespace.slice(prefix.length);
  }
  return undefined;
}

async function isAnswered(scene: Scene): Promise<boolean> {
  for (const port of [httpPort, udpPort]) {
    for (const _ of realServers) {
      const { answer } = await scene.ask({ port, protocol: port === udpPort ? 'udp' : 'tcp' });
      if (answer === undefined) return false;
    }
  }
  return true;
}

function placeOf(host: string, prefix: string): { readonly namespace?: string } {
  return host === machineItself ? {} : { namespace: prefix + host };
}

/** `RS2` stands for that host's namespace. */
function onHosts(prefix: string, signal?: AbortSignal): OnHost {
  return async (host, command) => {
    const words = command.map((word) => word.replace(/^RS(\d)$/, `${prefix}rs$1`));
    const found = words[0] === 'fairlead' ? [fairlead, ...words.slice(1)] : words;
    return run(found, placeOf(host, prefix), signal);
  };
}

/** By its hosts: no two types have the same addresses and gateways. */
async function keptType(prefix: string): Promise<LabType> {
  const { stdout } = await run(['ip', '-4', '-o', 'address', 'show', 'dev', 'eth0'], { namespace: `${prefix}rs2` });
  const { stdout: status } = await run([fairlead, 'realserver', 'status', '-o', 'json'], { namespace: `${prefix}rs2` });
  const isSet = (plan: Plan): boolean => {
    const needsVip = plan.method === 'gate' || plan.method === 'tunnel';
    return stdout.includes(` ${addressOf(plan, 'rs2')}/`) && status.includes(`"method": "${plan.method}"`) === needsVip;
  };
  const found = Object.values(plans).find(isSet);
  if (found === undefined || !(await listNamespaces()).includes(`${prefix}director`))
    throw new FairleadError('bad-input', 'the laboratory that is kept is not whole any more');
  return found.type;
}

function tell(result: BreakageResult | undefined, say: Say): void {
  if (result === undefined) return;
  const { name, found, mended, falseAlarms } = result;
  const verdict = `${found ? 'found' : 'NOT FOUND'}, ${mended ? 'mended' : 'NOT MENDED'}`;
  say(`${name.padEnd(22)} ${verdict}${falseAlarms.length === 0 ? '' : `; also told: ${falseAlarms.join('; ')}`}`);
}

function formatTold({ host, problem: { id, wrong, evidence } }: Told): string {
  return `${host}: ${id}: ${wrong} (${evidence})`;
}
