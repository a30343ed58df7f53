// One LVS type from its first namespace to its last claim.
import type { Claim, Proof } from './claims/claim.ts';
import { drClaims } from './claims/dr.ts';
import { fullnatClaims } from './claims/fullnat.ts';
import { natClaims } from './claims/nat.ts';
import { tunClaims } from './claims/tun.ts';
import { listServices } from './director.ts';
import { drawPlan } from './drawing.ts';
import { hopsOf } from './hops.ts';
import type { LabType } from './plan.ts';
import { httpPort, realServers, udpPort } from './plans/addresses.ts';
import { plans } from './plans/plans.ts';
import { type Exchange, openScene, type Scene } from './scene.ts';

export interface ClaimResult extends Proof {
  readonly id: string;
}

export interface TypeResult {
  readonly requests: number;
  readonly answered: number;
  readonly realServers: Readonly<Record<string, number>>;
  readonly claims: readonly ClaimResult[];
}

export type Say = (line?: string) => void;

export interface RunOptions {
  readonly prefix: string;
  readonly keep: boolean;
  readonly say: Say;
}

const claims: Readonly<Record<LabType, readonly Claim[]>> = {
  nat: natClaims,
  dr: drClaims,
  tun: tunClaims,
  fullnat: fullnatClaims,
};
const roundsPerProtocol = 4;

export async function runType(
  type: LabType,
  { prefix, keep, say }: RunOptions,
  signal: AbortSignal,
): Promise<TypeResult> {
  const plan = plans[type];
  say(`== ${plan.title}`);
  say();
  for (const line of drawPlan(plan)) say(`  ${line}`);
  say();
  const scene = await openScene(plan, prefix, signal);
  let complete = false;
  try {
    const { requests, answered, realServers } = await carry(scene, say);
    await scene.addProofServices();
    const proven = await proveAll(scene, say);
    await scene.removeProofServices();
    if (keep) scene.stay();
    complete = true;
    return { requests, answered, realServers, claims: proven };
  } finally {
    // What undoing says after a failure follows from that failure.
    await scene[Symbol.asyncDispose]().catch((error: unknown) => {
      if (complete) throw error;
    });
  }
}

/** When a type can't be laid out at all, its claims fail with the reason. */
export function failedResult(type: LabType, reason: string): TypeResult {
  return {
    requests: 0,
    answered: 0,
    realServers: {},
    claims: claims[type].map(({ id }) => ({ id, holds: false, evidence: reason })),
  };
}

export function isGood(result: TypeResult): boolean {
  return result.requests > 0 && result.answered === result.requests && result.claims.every(({ holds }) => holds);
}

async function carry(scene: Scene, say: Say): Promise<Omit<TypeResult, 'claims'>> {
  const listing = await listServices(scene.namespace('director'), [], scene.signal);
  for (const line of listing.trimEnd().split('\n')) say(`  ${line}`.trimEnd());
  say();
  const exchanges: Exchange[] = [];
  for (let round = 0; round < roundsPerProtocol * realServers.length; round++) {
    exchanges.push(await scene.ask({ port: httpPort }), await scene.ask({ port: udpPort, protocol: 'udp' }));
  }
  const counts = {
    requests: exchanges.length,
    answered: exchanges.filter(({ answer }) => answer !== undefined).length,
    realServers: Object.fromEntries(
      realServers.map((name) => [name, exchanges.filter(({ answer }) => answer?.realServer === name).length]),
    ),
  };
  await tell(scene, exchanges, counts, say);
  return counts;
}

async function tell(
  scene: Scene,
  exchanges: readonly Exchange[],
  counts: Omit<TypeResult, 'claims'>,
  say: Say,
): Promise<void> {
  const each = Object.entries(counts.realServers).map(([name, count]) => `${name} ${count}`);
  say(`  ${counts.requests} requests, ${counts.answered} answered: ${each.join(', ')}`);
  for (const protocol of ['tcp', 'udp']) {
    const answers = exchanges
      .filter(({ question }) => question.protocol === protocol)
      .map(({ answer }) => answer?.realServer ?? '-');
    say(`  ${protocol === 'tcp' ? 'HTTP' : 'UDP '} in order: ${answers.join(' ')}`);
  }
  for (const { question, failure } of exchanges) {
    if (failure !== undefined) say(`  not answered: ${question.protocol} ${question.to}:${question.port}: ${failure}`);
  }
  say();
  const shown = exchanges.find(({ answer, question }) => answer !== undefined && question.protocol === 'tcp');
  if (!shown) return;
  for (const line of await hopsOf(scene, shown)) say(`  ${line}`);
  say();
}

async function proveAll(scene: Scene, say: Say): Promise<ClaimResult[]> {
  const results: ClaimResult[] = [];
  for (const { id, title, prove } of claims[scene.plan.type]) {
    const { holds, evidence } = await prove(scene).catch((error: unknown): Proof => {
      // Stopped, not disproved.
      if (scene.signal.aborted) throw scene.signal.reason;
      return { holds: false, evidence: error instanceof Error ? error.message : String(error) };
    });
    results.push({ id, holds, evidence });
    say(`  ${holds ? 'holds' : 'FAILS'}  ${id}  ${title}`);
    for (const part of evidence.split('; ')) say(`             ${part}`);
  }
  say();
  return results;
}
