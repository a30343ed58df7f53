// LVS-NAT's rules: the director turns every packet, both ways, and so must be the real servers' way out.
import { addressOf, hostNamed } from '../plan.ts';
import { realHttpPort } from '../plans/addresses.ts';
import type { Scene } from '../scene.ts';
import { at, synAckTrip } from '../trip.ts';
import { anySystemWillDo } from './anyos.ts';
import {
  appears,
  type Claim,
  formatMacs,
  formatPacket,
  macOfHost,
  outcome,
  type Proof,
  portOfProof,
  proof,
  strands,
} from './claim.ts';
import { passesBothWays } from './passing.ts';
import { mapsPorts } from './ports.ts';

export const natClaims: readonly Claim[] = [
  { id: 'nat-1', title: 'request and reply both pass the director', prove: passesBothWays },
  { id: 'nat-2', title: 'ports are mapped', prove: mapsPorts },
  { id: 'nat-3', title: 'an RS whose gateway is not the DIP gets no connection through', prove: otherGateway },
  { id: 'nat-4', title: 'an RS of any OS will do: it needs no VIP, no tunnel, no setting', prove: anySystemWillDo },
  {
    id: 'nat-5',
    title: 'an RS in another network, with a way to the client past the director, gets no connection through',
    prove: otherNetwork,
  },
];

async function otherGateway(scene: Scene): Promise<Proof> {
  const gateway = hostNamed(scene.plan, 'rs3').gateway ?? '';
  const wrong = addressOf(scene.plan, 'rs1');
  const leaveBy = (way: string): Promise<unknown> => scene.inside('rs3', `ip route replace default via ${way}`);
  await leaveBy(wrong);
  try {
    const { exchange, conditions } = await strands(scene, 'rs3');
    const replies = synAckTrip(scene, exchange);
    const toWrong = at(replies, 'rs3', 'out').every(({ destination }) => destination === macOfHost(scene, 'rs1'));
    await leaveBy(gateway);
    const after = await scene.ask({ port: portOfProof('rs3') });
    return proof([
      ...conditions,
      [toWrong, `for rs3's gateway was ${wrong}, not the DIP`],
      [at(replies, 'director').length === 0, 'the director saw no reply'],
      [at(replies, 'client').length === 0, 'nor did the client'],
      [after.answer !== undefined, `with the gateway ${gateway} again it was ${outcome(after)}`],
    ]);
  } finally {
    await leaveBy(gateway);
  }
}

async function otherNetwork(scene: Scene): Promise<Proof> {
  const rs4 = `rs4 (${addressOf(scene.plan, 'rs4')}, gateway ${hostNamed(scene.plan, 'rs4').gateway})`;
  const direct = await scene.ask({ to: addressOf(scene.plan, 'rs4'), port: realHttpPort });
  const { exchange, conditions } = await strands(scene, 'rs4');
  const astray = await appears(scene, () => at(synAckTrip(scene, exchange), 'client', 'in'));
  return proof([
    [direct.answer !== undefined, `${rs4} and the client reach each other: asked at its RIP it answered`],
    ...conditions,
    [at(synAckTrip(scene, exchange), 'director').length === 0, 'the director saw no reply'],
    [
      astray !== undefined,
      `the client got ${formatPacket(astray)} ${formatMacs(scene, astray)}: not whom it had asked`,
    ],
  ]);
}
