// The director itself as a client and as a real server: what its own stack sends and gets, packet by packet.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseAddress } from '../../src/model/address.ts';
import type { Destination } from '../../src/model/service.ts';
import { build, checksumErrors, type Description, flag, parse } from '../packets.ts';
import { type Answer, client, dip, openStage, rip, type Stage, service, six, tcVerdicts, vip } from './stage.ts';

const { syn, ack } = flag;
const families = {
  IPv4: { vip, client, dip, rip: rip(1), loopback: '127.0.0.1' },
  IPv6: { vip: six.vip, client: six.client, dip: six.dip, rip: six.rip(1), loopback: '::1' },
} as const;
/** Services' ports, by where their real server is. */
const port = { own: 80, other: 81, loopback: 82, gate: 83, full: 84, none: 85 } as const;
const realPort = 8080;
const clientPort = 4001;
const noMac = '00:00:00:00:00:00';

let stage: Stage;

beforeAll(() => {
  stage = openStage();
  const to = (address: string, facts: Partial<Destination> = {}): Destination[] => [
    { rip: parseAddress(address), port: realPort, method: 'masq', weight: 1, ...facts },
  ];
  stage.install(
    ...Object.values(families).flatMap((at) =>
      (['tcp', 'udp'] as const).flatMap((protocol) => [
        service({ protocol, vip: at.vip, port: port.own, destinations: to(at.dip) }),
        service({ protocol, vip: at.vip, port: port.other, destinations: to(at.rip) }),
        service({ protocol, vip: at.vip, port: port.loopback, destinations: to(at.loopback) }),
        service({ protocol, vip: at.vip, port: port.gate, destinations: to(at.dip, { method: 'gate' }) }),
        service({ protocol, vip: at.vip, port: port.full, destinations: to(at.dip, { method: 'fullnat' }) }),
        service({ protocol, vip: at.vip, port: port.none, destinations: [] }),
      ]),
    ),
  );
});

beforeEach(() => {
  stage.settle();
  stage.news();
});

afterAll(() => stage?.[Symbol.dispose]());

describe.each(['IPv4', 'IPv6'] as const)('%s', (family) => {
  const at = families[family];

  describe.each([
    ['TCP', { flags: syn }],
    ['UDP', {}],
  ] as [string, Partial<Description>][])('%s', (_, kind) => {
    const request = (to: number, from: string = at.client): Buffer =>
      packet({ source: from, destination: at.vip, sourcePort: clientPort, destinationPort: to }, kind);
    const answer = (from: string, fromPort: number = realPort, to: string = at.client): Buffer =>
      packet(
        { source: from, destination: to, sourcePort: fromPort, destinationPort: clientPort },
        'flags' in kind ? { flags: syn | ack } : {},
      );

    test('a request to a masqueraded real server here goes up, and its answer leaves, both translated and no older', () => {
      const { ip } = expectPassed(stage.tc(request(port.own)));
      expect(ip).toMatchObject({ source: at.client, destination: at.dip, destinationPort: realPort, ttl: 64 });
      const back = expectPassed(own(answer(at.dip))).ip;
      expect(back).toMatchObject({ source: at.vip, sourcePort: port.own, destination: at.client, ttl: 64 });
    });

    test('to one at a loopback address nobody comes from outside', () => {
      expect(stage.tc(request(port.loopback)).verdict).toBe('drop');
      expect(stage.news()).toEqual({ 'no-route': 1 });
      const { ip } = expectPassed(own(request(port.loopback, at.dip)));
      expect(ip).toMatchObject({ destination: at.loopback, destinationPort: realPort, ttl: 64 });
    });

    test('full NAT with a real server here goes by lo', () => {
      const { verdict, packet: sent } = stage.tc(request(port.full));
      expect(verdict).toBe('redirect');
      expectWhole(sent);
      expect(parse(sent)).toMatchObject({ destinationMac: noMac });
      expect(parse(sent).ip).toMatchObject({ source: at.dip, destination: at.dip, destinationPort: realPort, ttl: 64 });
    });

    test('a client here is sent on, and what comes back goes up by lo', () => {
      const sent = own(request(port.other, at.dip));
      expect(sent.verdict).toBe('redirect');
      expectWhole(sent.packet);
      expect(parse(sent.packet).ip).toMatchObject({ source: at.dip, destination: at.rip, ttl: 63 });
      const back = stage.tc(answer(at.rip, realPort, at.dip));
      expect(back.verdict).toBe('redirect');
      expectWhole(back.packet);
      expect(parse(back.packet)).toMatchObject({ destinationMac: noMac, sourceMac: noMac });
      expect(parse(back.packet).ip).toMatchObject({
        ...{ source: at.vip, sourcePort: port.other, destination: at.dip, destinationPort: clientPort, ttl: 64 },
      });
    });

    test('a client here that nobody serves is told by lo', () => {
      const told = own(request(port.none, at.dip));
      expect(told.verdict).toBe('redirect');
      expectWhole(told.packet);
      expect(parse(told.packet)).toMatchObject({ destinationMac: noMac });
      expect(parse(told.packet).ip).toMatchObject({ source: at.vip, destination: at.dip });
    });

    test('answers by gate are counted as such', () => {
      expectSame(request(port.gate), stage.tc(request(port.gate)));
      expectSame(answer(at.vip, port.gate), own(answer(at.vip, port.gate)));
      const { counters } = stage
        .services()
        .find(
          ({ identity }) =>
            identity.kind === 'address' &&
            identity.port === port.gate &&
            identity.protocol === ('flags' in kind ? 'tcp' : 'udp') &&
            identity.vip.family === parseAddress(at.vip).family,
        ) ?? { counters: undefined };
      expect(counters).toMatchObject({ inPackets: 1n, outPackets: 1n });
    });

    test('what is nobody’s, and what came in by an interface, is let go as it is', () => {
      expectSame(answer(at.dip, 22), own(answer(at.dip, 22)));
      expectSame(request(port.other), own(request(port.other), 1));
      expect(stage.connections()).toEqual([]);
    });
  });

  test('a real server here that has answered by gate is seen in both directions', () => {
    const send = (flags: number): void => {
      stage.tc(
        packet({ source: at.client, destination: at.vip, sourcePort: 5, destinationPort: port.gate }, { flags }),
      );
    };
    const reply = (flags: number): void => {
      own(packet({ source: at.vip, destination: at.client, sourcePort: port.gate, destinationPort: 5 }, { flags }));
    };
    const state = (): string | undefined => stage.connections()[0]?.state;
    send(syn);
    reply(syn | ack);
    send(ack);
    expect(state()).toBe('ESTABLISHED');
    send(flag.fin | ack);
    expect(state()).toBe('CLOSE_WAIT');
    reply(flag.fin | ack);
    expect(state()).toBe('TIME_WAIT');
  });
});

function packet(
  ends: Pick<Description, 'source' | 'destination' | 'sourcePort' | 'destinationPort'>,
  kind: Partial<Description>,
): Buffer {
  return build({ ...ends, ttl: 64, payload: Buffer.from('hello'), ...kind });
}

/** As the host's own stack sends it; `ingress`: as it is forwarded from this interface. */
function own(frame: Buffer, ingress = 0): Answer {
  const context = Buffer.alloc(192);
  context.writeUInt32LE(ingress, 36);
  const { returnValue, packet: sent } = stage.run(() =>
    stage.program('director_own').testRun({ packet: frame, repeat: 1, context }),
  );
  return { verdict: tcVerdicts[returnValue] ?? 'aborted', packet: sent };
}

function expectPassed({ verdict, packet: passed }: Answer): ReturnType<typeof parse> {
  expect(verdict).toBe('pass');
  expectWhole(passed);
  return parse(passed);
}

function expectSame(frame: Buffer, { verdict, packet: passed }: Answer): void {
  expect(verdict).toBe('pass');
  expect(passed).toEqual(frame);
}

function expectWhole(frame: Buffer): void {
  expect(checksumErrors(frame)).toEqual([]);
}
