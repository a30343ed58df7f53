// Answers are routed as if they began here, from the VIP (snat_reroute of IPVS): rules may send those of each VIP another way.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAddress } from '../../src/model/address.ts';
import { build, flag, parse } from '../packets.ts';
import * as places from './stage.ts';

const families = {
  4: {
    ...{ client: places.client, rip: places.rip(1), local: '192.0.2.77' },
    vips: [places.vip, '198.51.100.11'],
    router: '192.0.2.253',
  },
  6: {
    ...{ client: places.six.client, rip: places.six.rip(1), local: '2001:db8:b::77' },
    vips: [places.six.vip, '2001:db8:a::11'],
    router: '2001:db8:b::fd',
  },
} as const;
const otherMac = '02:00:00:00:01:99';
const table = '100';

describe.each([4, 6] as const)('IPv%i', (family) => {
  const { client, rip, local, vips, router } = families[family];
  let stage: places.Stage;

  beforeAll(() => {
    stage = places.openStage();
    const { ip } = stage.namespace;
    const of = `-${family}`;
    ip('neighbour', 'add', router, 'lladdr', otherMac, 'nud', 'permanent', 'dev', 'v0');
    ip(of, 'route', 'add', 'default', 'via', router, 'table', table);
    ip(of, 'rule', 'add', 'from', vips[1], 'table', table);
    stage.install(
      ...(['masq', 'fullnat'] as const).flatMap((method, at) =>
        vips.map((vip) =>
          places.service({
            vip,
            port: 80 + at,
            localAddresses: method === 'fullnat' ? [local] : [],
            destinations: [{ rip: parseAddress(rip), port: 8080, method, weight: 1 }],
          }),
        ),
      ),
    );
  });

  afterAll(() => stage?.[Symbol.dispose]());

  /** Whom the answers to a connection go to, one after the other. */
  function answered(vip: string, port: number): readonly (string | undefined)[] {
    // Of masq a real server's answers tell connections apart by the client's port alone.
    const sourcePort = 4001 + (vips as readonly string[]).indexOf(vip);
    const tcp = { source: client, destination: vip, sourcePort, destinationPort: port, flags: flag.syn };
    stage.walk(build(tcp));
    const { ip } = parse(stage.walk(build(tcp)).packet);
    const ends = { source: rip, sourcePort: 8080, destination: ip.source, destinationPort: ip.sourcePort ?? 0 };
    return [flag.syn | flag.ack, flag.ack, flag.ack].map((flags) => {
      const { verdict, packet } = stage.walk(build({ ...ends, flags }));
      return verdict === 'redirect' ? parse(packet).destinationMac : verdict;
    });
  }

  test.each([
    ['masq', 80],
    ['fullnat', 81],
  ])("one client's answers by %s go the way of each VIP, in turn", (_, port) => {
    const [first = '', second = ''] = vips;
    for (let round = 0; round < 3; round++) {
      expect(answered(first, port).at(-1)).toBe(places.routerMac);
      expect(answered(second, port).at(-1)).toBe(otherMac);
    }
  });
});
