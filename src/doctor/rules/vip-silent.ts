// The VIP is an address of this director, and yet nobody is told: asked as routers ask, by a frame as if one had come from them.
import { arrive } from '../../kernel/arrival.ts';
import type { Interface } from '../../kernel/interfaces.ts';
import { isInNetwork, parseAddress } from '../../model/address.ts';
import { FairleadError } from '../../model/error.ts';
import { letQuestionsIn } from '../firewall/let-in.ts';
import { readChains, whatDropsFirst } from '../firewall/nft.ts';
import { questionFor } from '../firewall/packet.ts';
import { readRuleset } from '../firewall/ruleset.ts';
import { parseMac } from '../frames.ts';
import { readHolder, whoHasFrame } from '../neighbours.ts';
import type { Problem } from '../problem.ts';
import { question, type Ward } from '../ward.ts';

/** ARP: as one asks that has no address yet, of whom nobody learns anything. IPv6: a link-local address that nobody has. */
const askers = { 4: '0.0.0.0', 6: 'fe80::fa:1ead:d0c:7043' } as const;
const patienceMs = 500;

export async function vipSilent(ward: Ward): Promise<readonly Problem[]> {
  const vips = (ward.director?.vips ?? []).filter((vip) => holdersOf(vip, ward).length > 0);
  const found = await Promise.all(vips.map((vip) => examine(vip, ward)));
  // What one command mends is told once, of the first VIP.
  const byCommand = new Map(
    found
      .flatMap((problem) => problem ?? [])
      .map((one) => [one.mend.command, one] as const)
      .toReversed(),
  );
  return [...byCommand.values()].toReversed();
}

/** A VIP that is in no network of this machine's is routed to it: nobody asks for it. */
async function examine(vip: string, ward: Ward): Promise<Problem | undefined> {
  const links = linksOf(vip, ward.system);
  if (links.length === 0) return undefined;
  const answers = await Promise.all(links.map((link) => isAnswered(vip, link, ward)));
  const [link] = links;
  return link === undefined || answers.includes(true) ? undefined : toProblem(vip, link, ward);
}

function holdersOf(vip: string, { system }: Pick<Ward, 'system'>): readonly string[] {
  return system.addresses.filter(({ address }) => address === vip).map(({ interface: name }) => name);
}

function linksOf(vip: string, { interfaces, addresses }: Ward['system']): readonly Interface[] {
  const host = vip.includes(':') ? 128 : 32;
  return interfaces.filter(
    ({ name, linkType, isUp }) =>
      linkType === 'ether' &&
      isUp &&
      addresses.some(
        (one) =>
          one.interface === name &&
          one.prefix < host &&
          isInNetwork(parseAddress(vip), parseAddress(one.address), one.prefix),
      ),
  );
}

async function isAnswered(vip: string, { index, mac }: Interface, { wire }: Ward): Promise<boolean> {
  const target = parseAddress(vip);
  const answers = wire.collect(
    ({ frame }) => (readHolder(frame)?.address.join() === target.bytes.join() ? true : undefined),
    patienceMs,
    { isOne: true, isOutgoing: true },
  );
  // The answer goes to the interface's own MAC: to nobody.
  arrive(index, whoHasFrame(parseMac(mac), parseAddress(askers[target.family]).bytes, target.bytes));
  return (await answers).length > 0;
}

function toProblem(vip: string, link: Interface, ward: Ward): Problem {
  const { cause, command } = causeOf(vip, link, ward);
  return {
    id: 'vip-not-on-director',
    wrong: `this director answers no ${question(vip)} for the VIP ${vip} on ${link.name}`,
    why: 'routers and clients there ask who has it, hear nothing, and send it no packet',
    evidence: `a question as if it had come by ${link.name} was not answered; ${cause}`,
    mend: { command, isSafe: false },
  };
}

interface Cause {
  readonly cause: string;
  readonly command: string;
}

function causeOf(vip: string, { name }: Interface, { system }: Ward): Cause {
  const holders = holdersOf(vip, { system });
  const isHere = holders.includes(name);
  if (isHere && system.addresses.some((one) => one.interface === name && !one.answersArp))
    return { cause: `${name} has NOARP`, command: `ip link set ${name} arp on` };
  const move = `ip address add ${vip}/${vip.includes(':') ? 128 : 32} dev ${name}`;
  if (vip.includes(':') && !isHere) return { cause: `it is on ${holders.join()}, which nobody can ask`, command: move };
  const ignore = Math.max(...['all', name].map((where) => Number(system.setting(where, 'arp_ignore'))));
  if (!vip.includes(':') && ignore > 0) {
    const cause = `arp_ignore is ${ignore}, and it is on ${holders.join()}`;
    if (ignore === 1 && !isHere) return { cause, command: move };
    return { cause, command: `sysctl -w net.ipv4.conf.all.arp_ignore=0 net.ipv4.conf.${name}.arp_ignore=0` };
  }
  const chains = readChains(readRuleset(), vip.includes(':') ? 6 : 'arp', name);
  const dropping = whatDropsFirst(chains, ['ingress', 'prerouting', 'input'], questionFor(vip, name));
  const rule = dropping === undefined && !vip.includes(':') ? arpRuleAbout(vip, system) : undefined;
  if (rule !== undefined) return { cause: `arptables has ${rule}`, command: `arptables -D ${rule}` };
  if (dropping === undefined)
    return {
      cause: 'nothing is known that drops it',
      command: `nft list ruleset; tc filter show dev ${name} ingress; ip rule`,
    };
  return { cause: dropping.text, command: dropping.remove ?? letQuestionsIn(dropping, vip) };
}

/** Those of the old arptables, which nft does not list. */
function arpRuleAbout(vip: string, system: Ward['system']): string | undefined {
  try {
    return system.arpRules().find((rule) => rule.startsWith('INPUT ') && `${rule} `.includes(` -d ${vip} `));
  } catch (error) {
    if (error instanceof FairleadError) return undefined; // there is no arptables
    throw error;
  }
}
