// Runs every rule on this network namespace.
import { Wire } from '../kernel/wire.ts';
import type { Problem } from './problem.ts';
import type { Rule } from './rule.ts';
import { addressAnswered } from './rules/address-answered.ts';
import { addressTaken } from './rules/address-taken.ts';
import { answers } from './rules/answers.ts';
import { asymmetric } from './rules/asymmetric.ts';
import { attached } from './rules/attached.ts';
import { clientHeader } from './rules/client-header.ts';
import { conntrack } from './rules/conntrack.ts';
import { firewall } from './rules/firewall.ts';
import { forwarding } from './rules/forwarding.ts';
import { fullTables } from './rules/full-tables.ts';
import { gateway } from './rules/gateway.ts';
import { kernelFeatures } from './rules/kernel-features.ts';
import { localPorts } from './rules/local-ports.ts';
import { neighbours } from './rules/neighbours.ts';
import { otherNetwork } from './rules/other-network.ts';
import { ownDirectors } from './rules/own-directors.ts';
import { ownGateway } from './rules/own-gateway.ts';
import { quiesced } from './rules/quiesced.ts';
import { realServerSetup } from './rules/realserver-setup.ts';
import { reversePath } from './rules/reverse-path.ts';
import { routes } from './rules/routes.ts';
import { tunnelMtu } from './rules/tunnel-mtu.ts';
import { vipAsSource } from './rules/vip-as-source.ts';
import { vipOnDirector } from './rules/vip-on-director.ts';
import { vipPrefix } from './rules/vip-prefix.ts';
import { vipSilent } from './rules/vip-silent.ts';
import { xdpOnVeth } from './rules/xdp-on-veth.ts';
import { type Asked, openWard } from './ward.ts';

/** In the order in which they are told: what others may follow from comes first. */
const rules: readonly Rule[] = [
  kernelFeatures,
  attached,
  xdpOnVeth,
  forwarding,
  vipOnDirector,
  vipSilent,
  vipAsSource,
  addressAnswered,
  addressTaken,
  routes,
  neighbours,
  otherNetwork,
  answers,
  clientHeader,
  gateway,
  tunnelMtu,
  quiesced,
  fullTables,
  localPorts,
  asymmetric,
  vipPrefix,
  realServerSetup,
  reversePath,
  ownGateway,
  ownDirectors,
  firewall,
  conntrack,
];

export async function examine(asked: Asked): Promise<readonly Problem[]> {
  using wire = new Wire();
  const ward = await openWard(wire, asked);
  return (await Promise.all(rules.map((rule) => rule(ward)))).flat();
}
