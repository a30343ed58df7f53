// The four plans are consistent in themselves, and lie as their type demands.
import { describe, expect, it } from 'vitest';
import { drawPlan } from '../drawing.ts';
import { addressOf, type Host, hostNamed, labTypes, type Plan } from '../plan.ts';
import { realServers } from './addresses.ts';
import { plans } from './plans.ts';

const networkOf = (address: string): string => address.split('.').slice(0, 3).join('.');

function segmentsOf(plan: Plan, host: Host): string[] {
  return host.legs.map((leg) => networkOf(plan.segments.find(({ name }) => name === leg.segment)?.network ?? ''));
}

describe.each(labTypes)('the %s plan', (type) => {
  const plan = plans[type];

  it('gives every interface an address of its own in its segment', () => {
    const addresses = plan.hosts.flatMap(({ legs }) => legs.map(({ address }) => address));
    expect(new Set(addresses).size).toBe(addresses.length);
    for (const host of plan.hosts)
      expect(host.legs.map(({ address }) => networkOf(address))).toEqual(segmentsOf(plan, host));
  });

  it('gives every host a gateway that is another host on its own segment', () => {
    for (const host of plan.hosts) {
      if (host.gateway === undefined) continue;
      const gateway = plan.hosts.find(({ legs }) => legs.some(({ address }) => address === host.gateway));
      expect(gateway?.name).not.toBe(host.name);
      expect(segmentsOf(plan, host)).toContain(networkOf(host.gateway));
    }
  });

  it('has a real server listening wherever a service sends', () => {
    const asked = plan.method === 'masq' || plan.method === 'fullnat';
    for (const service of [...plan.services, ...plan.proofServices]) {
      for (const name of service.realServers) {
        const arrives = asked ? service.realPort : service.port;
        const listens = hostNamed(plan, name).listens?.some(
          ({ protocol, port }) => protocol === service.protocol && port === arrives,
        );
        // One service asks for port mapping where there is none.
        expect(listens).toBe(asked || service.port === service.realPort);
      }
    }
  });

  it('draws every host once', () => {
    const drawing = drawPlan(plan).join('\n');
    for (const { name } of plan.hosts) expect(drawing.match(new RegExp(`(^|-- )${name} `, 'gm'))).toHaveLength(1);
  });
});

const director = (plan: Plan): string => addressOf(plan, 'director');

it('makes the DIP the gateway of NAT real servers', () => {
  for (const name of realServers) expect(hostNamed(plans.nat, name).gateway).toBe(addressOf(plans.nat, 'director', 1));
});

it("puts DR real servers on the director's segment", () => {
  for (const name of realServers) expect(networkOf(addressOf(plans.dr, name))).toBe(networkOf(director(plans.dr)));
});

it.each(['tun', 'fullnat'] as const)('puts a %s real server behind a router, past the director', (type) => {
  const { gateway } = hostNamed(plans[type], 'rs3');
  expect(networkOf(addressOf(plans[type], 'rs3'))).not.toBe(networkOf(director(plans[type])));
  expect(gateway).not.toBe(director(plans[type]));
});
