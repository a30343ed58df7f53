// What configurations declare, and what is said about those that are wrong.
import { describe, expect, test } from 'vitest';
import { formatAddress } from '../model/address.ts';
import type { Check } from '../model/check.ts';
import type { Declared } from '../model/declared.ts';
import { formatRule } from '../model/mark.ts';
import { destinationKey, serviceKey } from '../model/table.ts';
import { parseConfig } from './load.ts';
import { ConfigError } from './problem.ts';

const read = (text: string): Declared => parseConfig(Buffer.from(text), 'web.yaml');

function refusal(bytes: string | Uint8Array): readonly string[] {
  try {
    parseConfig(Buffer.from(bytes), 'web.yaml');
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n');
    throw error;
  }
  return [];
}

const six = `services:
  - tcp: 192.0.2.10:80
    destinations:
      - 10.1.0.1:8080
      - 10.1.0.2:8080
      - 10.1.0.3:8080
`;

describe('a configuration', () => {
  test('declares a checked TCP service of three real servers in six lines', () => {
    const [service] = read(six).services;
    expect(service).toMatchObject({ scheduler: 'wlc', onFailure: 'remove', onRemove: 'keep', slowStartMs: 0 });
    expect(service && serviceKey(service.identity)).toBe('tcp 192.0.2.10:80');
    expect(service?.destinations.map(destinationKey)).toEqual(['10.1.0.1:8080', '10.1.0.2:8080', '10.1.0.3:8080']);
    expect(service?.destinations[0]).toMatchObject({ method: 'masq', weight: 1 });
    expect(service?.destinations[0]?.checks).toEqual([
      {
        checker: { kind: 'tcp' },
        intervalMs: 2000,
        timeoutMs: 1000,
        rise: 2,
        fall: 3,
        jitterMs: 200,
        retries: 0,
        retryDelayMs: 200,
        warmUpMs: 2000,
        initially: 'up',
        target: { path: 'client' },
      } satisfies Check,
    ]);
  });

  test('takes what a service does not say from the defaults, and a destination from its service', () => {
    const { services } = read(`
defaults: {scheduler: rr, method: gate, weight: 5, check: {interval: 10s, fall: 1}, checks: icmp}
services:
  - tcp: 192.0.2.10:80
    weight: 7
    destinations: [10.1.0.1, {rip: 10.1.0.2, weight: 0, checks: [http, {tcp: null, port: 22}]}]
  - udp: 192.0.2.10:53
    scheduler: sh
    method: masq
    checks: none
    destinations: [10.1.0.1:5353]
`);
    const [web, dns] = services;
    expect(web).toMatchObject({ scheduler: 'rr' });
    expect(web?.destinations).toMatchObject([
      { method: 'gate', weight: 7, port: 80, checks: [{ checker: { kind: 'icmp' }, intervalMs: 10_000, fall: 1 }] },
      {
        weight: 0,
        checks: [{ checker: { kind: 'http', path: '/' } }, { checker: { kind: 'tcp' }, target: { port: 22 } }],
      },
    ]);
    expect(dns).toMatchObject({
      scheduler: 'sh',
      destinations: [{ method: 'masq', weight: 5, port: 5353, checks: [] }],
    });
  });

  test('may have several VIPs and families for one list of destinations', () => {
    const { services } = read(`
services:
  - tcp: [192.0.2.10:80, 192.0.2.10:443, '[2001:db8::10]:80']
    method: tunnel
    destinations: [10.1.0.1]
`);
    expect(services.map(({ identity }) => serviceKey(identity))).toEqual([
      'tcp 192.0.2.10:80',
      'tcp 192.0.2.10:443',
      'tcp [2001:db8::10]:80',
    ]);
    expect(services.map(({ destinations }) => destinations[0]?.port)).toEqual([80, 443, 80]);
  });

  test('says everything that ipvsadm can', () => {
    const { services } = read(`
services:
  - mark: 0x10
    family: ipv6
    scheduler: mh
    scheduler_flags: [mh-port]
    persistence: {timeout: 10m, mask: 64}
    destinations:
      - {rip: 'fd00::1', method: tunnel, tunnel: {type: gue, port: 5555, checksum: remote}, upper_threshold: 100, lower_threshold: 50}
  - udp: 192.0.2.10:5060
    one_packet: true
    persistence: {engine: sip, mask: 255.255.255.0}
    destinations: [10.1.0.1]
  - tcp: 192.0.2.10:0
    persistence: 90s
    method: fullnat
    local_addresses: [10.9.0.1, 10.9.0.2]
    sorry_server: {rip: 10.1.0.9:80, method: masq}
`);
    expect(services[0]).toMatchObject({
      identity: { kind: 'mark', mark: 16, family: 6 },
      schedulerFlags: ['mh-port'],
      persistence: { timeoutS: 600 },
      destinations: [
        {
          port: 0,
          tunnel: { type: 'gue', port: 5555, checksum: 'remote' },
          upperThreshold: 100,
          lowerThreshold: 50,
          checks: [],
        },
      ],
    });
    expect(services[1]).toMatchObject({ onePacket: true, persistenceEngine: 'sip', persistence: { timeoutS: 300 } });
    expect(services[1]?.persistence && formatAddress(services[1].persistence.mask)).toBe('255.255.255.0');
    expect(services[2]).toMatchObject({ persistence: { timeoutS: 90 }, sorryServer: { port: 80, method: 'masq' } });
    expect(services[2]?.localAddresses.map(formatAddress)).toEqual(['10.9.0.1', '10.9.0.2']);
  });

  test('gives packets marks, holds addresses, and sets settings', () => {
    const declared = read(`
marks:
  - {set: 7, protocol: tcp, to: 192.0.2.10, ports: [80, 443, 8000-8100]}
  - {set: 0x10/0xf0, from: 10.0.0.5/8, not: {interface: eth0, mark: 1/0xf}}
  - {accept: true, family: ipv6}
addresses: {eth0: 192.0.2.10, eth1.5: [192.0.2.11/24, '2001:db8::10']}
settings: {drop_entry: 1}
timeouts: {tcp_fin: 1m}
`);
    expect(declared.markRules.map(formatRule)).toEqual([
      '-p tcp -d 192.0.2.10 --dports 80,443,8000:8100 --set-mark 7',
      '-s 10.0.0.0/8 ! -i eth0 ! --mark 0x1/0xf --set-xmark 0x10/0xf0',
      '-6 -j ACCEPT',
    ]);
    expect(
      declared.addresses.map((one) => `${one.interface} ${formatAddress(one.address)}/${one.prefixLength}`),
    ).toEqual(['eth0 192.0.2.10/32', 'eth1.5 192.0.2.11/24', 'eth1.5 2001:db8::10/128']);
    expect(declared).toMatchObject({ settings: { drop_entry: 1 }, timeouts: { tcpFin: 60 } });
  });

  test('has checks of every kind', () => {
    const { services } = read(`
services:
  - tcp: 192.0.2.10:443
    checks:
      - https: {path: /health, host: www.example.org, status: [200, 300-399], body_regex: '^ok', tls: {verify: false}}
        interval: 500ms
        jitter: 50ms
        retry: 2
      - {http: /ping, port: 8081, source: 10.1.0.254, mark: 5}
      - {tcp: {send: "PING\\r\\n", expect: PONG}}
      - {dns: example.org}
      - {udp: {send: ping, reply: required}}
      - {smtp: {helo: lb.example.org, tls: {}}}
      - {exec: /usr/local/bin/check --deep, initially: down}
      - {exec: {command: [/bin/check, a b], user: nobody, sets_weight: true}}
      - {agent: 9999}
      - {passive: {failures: 3}}
      - icmp
`);
    const [service] = read(six).services;
    expect(service).toBeDefined();
    const { services: again } = read(`services: [{udp: '192.0.2.1:53', checks: [dns], destinations: [10.0.0.1]}]`);
    expect(again[0]?.destinations[0]?.checks[0]?.checker).toEqual({
      kind: 'dns',
      name: '.',
      type: 'SOA',
      transport: 'udp',
      answers: [],
    });
    expect(services[0]?.destinations).toEqual([]);
  });
});

describe('what is wrong is told with its place', () => {
  test.each<[string, string, readonly string[]]>([
    [
      'words that are nearly right',
      'services:\n  - tcp: 192.0.2.10:80\n    sheduler: wlc\n    scheduler: wlcc\n    destinations: [{rip: 10.1.0.1, weihgt: 1}]\n',
      [
        'web.yaml:3:5: services[0]: unknown key "sheduler"; did you mean scheduler?',
        'web.yaml:4:16: services[0].scheduler: expected one of rr, wrr, lc, wlc, sed, nq, sh, dh, lblc, lblcr, mh, fo, ovf, twos or none, got "wlcc"; did you mean wlc?',
        'web.yaml:5:36: services[0].destinations[0]: unknown key "weihgt"; did you mean weight?',
      ],
    ],
    [
      'addresses and ports',
      'services:\n  - tcp: 192.0.2.10:99999\n    destinations:\n      - 10.1.0\n      - 5\n      - {port: 80}\n      - {rip: 10.1.0.1, port: 70000}\n',
      [
        'web.yaml:2:10: services[0].tcp: expected a VIP and its port, as 192.0.2.10:80 or [2001:db8::10]:80, got "192.0.2.10:99999"',
        `web.yaml:4:9: services[0].destinations[0]: expected a real server's address, with or without a port, as 10.1.0.1:8080 or [fd00::1]:8080, got "10.1.0"`,
        `web.yaml:5:9: services[0].destinations[1]: expected a real server's address, with or without a port, as 10.1.0.1:8080 or [fd00::1]:8080, or a mapping, got 5`,
        `web.yaml:6:9: services[0].destinations[2].rip: it is missing: expected a real server's address, with or without a port, as 10.1.0.1:8080 or [fd00::1]:8080`,
        'web.yaml:7:31: services[0].destinations[3].port: expected a port from 0 to 65535, got 70000',
      ],
    ],
    [
      'times without a unit, words for truth, and one of many',
      'services:\n  - udp: 1.2.3.4:5\n    tcp: 1.2.3.4:5\n    one_packet: yes\n    slow_start: 5\n    checks: [{http: /, fall: 0}, {interval: 1x}]\n',
      [
        'web.yaml:4:17: services[0].one_packet: expected true or false, got "yes"',
        'web.yaml:5:17: services[0].slow_start: expected a time from 0s to 31d, with its unit, got 5',
        'web.yaml:6:30: services[0].checks[0].fall: expected a number of probes from 1 to 1000, got 0',
        'web.yaml:6:45: services[0].checks[1].interval: expected a time from 100ms to 1d, with its unit, got "1x"',
      ],
    ],
    [
      'which of several a thing is',
      'services:\n  - udp: 1.2.3.4:5\n    tcp: 1.2.3.4:5\n  - scheduler: rr\n  - mark: 5\n    checks: {http: /, tcp: {}}\n',
      [
        'web.yaml:2:5: services[0]: expected just one of tcp, udp, sctp and mark, got a mapping of tcp and udp',
        'web.yaml:4:5: services[1]: expected just one of tcp, udp, sctp and mark, got a mapping of scheduler',
        'web.yaml:6:13: services[2].checks: expected just one of tcp, http, https, dns, udp, smtp, icmp, exec, agent, passive, got a mapping of tcp and http',
      ],
    ],
    [
      'what is there twice, by both places',
      'services:\n  - tcp: 192.0.2.10:80\n    destinations:\n      - 10.1.0.1:80\n      - 10.1.0.1\n  - tcp: [192.0.2.11:80, 192.0.2.10:80]\n',
      [
        'web.yaml:5:9: services[0].destinations[1]: the destination 10.1.0.1:80 is there twice: first in line 4',
        'web.yaml:6:26: services[1].tcp[1]: the service tcp 192.0.2.10:80 is there twice: first in line 2',
      ],
    ],
    [
      "what IPVS refuses, and methods' rules",
      `services:
  - tcp: 192.0.2.10:80
    destinations:
      - 224.0.0.1
      - 'fd00::1'
      - {rip: 10.1.0.2, upper_threshold: 5, lower_threshold: 6}
      - {rip: 10.1.0.3:81, method: gate}
      - {rip: 10.1.0.4, tunnel: gre}
  - tcp: 192.0.2.10:0
    one_packet: true
    scheduler_flags: [mh-port]
`,
      [
        "web.yaml:4:9: services[0].destinations[0]: 224.0.0.1 is no unicast address: it can't be a real server",
        'web.yaml:5:9: services[0].destinations[1]: fd00::1 is of another family than tcp 192.0.2.10:80',
        'web.yaml:6:9: services[0].destinations[2]: the lower threshold 6 is above the upper 5',
        "web.yaml:7:9: services[0].destinations[3]: gate leaves ports as they are: expected port 80, as the service's, got 81",
        'web.yaml:8:33: services[0].destinations[4].tunnel: expected method: tunnel beside it, got masq',
        'web.yaml:9:5: services[1]: port 0, which is all ports, needs persistence',
        'web.yaml:10:17: services[1].one_packet: one-packet scheduling is for udp and marks only',
        'web.yaml:11:23: services[1].scheduler_flags[0]: expected a flag of the scheduler wlc, got mh-port',
      ],
    ],
    [
      'marks, addresses, settings and the API',
      `marks:
  - {to: 10.0.0.1}
  - {to: 10.0.0.1, ports: 80, set: 7}
  - {to: 10.0.0.1, from: '::1', set: 7}
addresses: {eth0: [10.0.0.1, 10.0.0.1/24]}
api: {listen: 0.0.0.0:80}
`,
      [
        'web.yaml:2:5: marks[0]: the rule does nothing: expected set or accept',
        'web.yaml:3:5: marks[1]: ports need -p tcp, udp or sctp',
        'web.yaml:4:5: marks[2]: a packet has addresses of one family',
        'web.yaml:5:30: addresses.eth0[1]: 10.0.0.1 is there twice: first in line 5',
        'web.yaml:6:15: api.listen: expected tls beside it, for 0.0.0.0 is no loopback address',
        'web.yaml:6:15: api.listen: expected tokens beside it: by TCP everybody needs one',
      ],
    ],
    [
      'keys and values of the rest',
      'addresses: {eth0: 10.0.0.1/33, a name that is too long: 10.0.0.1}\nsettings: {drop_entry: 9, drop_entri: 1}\nservice: []\n',
      [
        'web.yaml:1:19: addresses.eth0: expected an address, with or without a length, as 192.0.2.10/24, got "10.0.0.1/33"',
        'web.yaml:1:32: addresses: expected the name of an interface, of up to 15 characters, got "a name that is too long"',
        'web.yaml:2:24: settings.drop_entry: expected a number from 0 to 3, got 9',
        'web.yaml:2:27: settings: unknown key "drop_entri"; did you mean drop_entry?',
        'web.yaml:3:1: unknown key "service"; did you mean services?',
      ],
    ],
  ])('%s', (_, text, lines) => {
    expect(refusal(text)).toEqual(lines);
  });

  test('not more than twenty at once', () => {
    const lines = refusal(`services:\n${'  - tcp: x\n'.repeat(30)}`);
    expect(lines).toHaveLength(21);
    expect(lines.at(-1)).toBe('and 10 more');
  });
});

const bomb = `a: &a [x,x,x,x,x,x,x,x,x]
b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]
c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]
d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]
e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]
services: [*e,*e,*e,*e,*e,*e,*e,*e,*e]
`;

describe('text that is no configuration', () => {
  test.each<[string, string | Uint8Array, string]>([
    ['nothing', '', 'web.yaml:1:1: expected a configuration, got an empty file'],
    ['comments alone', '# x\n', 'web.yaml:1:1: expected a configuration, got an empty file'],
    ['null', '~', 'web.yaml:1:1: expected a configuration, got an empty file'],
    ['a word', 'hello', 'web.yaml:1:1: expected a mapping, got "hello"'],
    ['a list', '- a', 'web.yaml:1:1: expected a mapping, got a list'],
    [
      'a key twice',
      'services:\n  - tcp: 1.2.3.4:80\n    tcp: 1.2.3.4:81\n',
      'web.yaml:3:5: the key tcp is there twice: first in line 2',
    ],
    [
      'a tab',
      'services:\n\t- tcp: 1.2.3.4:80\n',
      'web.yaml:2:1: expected blanks before the first word of a line, got a tab',
    ],
    [
      'two documents',
      'services: []\n---\nservices: []\n',
      'web.yaml:2:1: expected one document, got another one after ---',
    ],
    ['aliases of aliases', bomb, 'web.yaml:2:8: Excessive alias count indicates a resource exhaustion attack'],
    [
      'an alias of nothing',
      'services: *x\n',
      'web.yaml:1:11: Unresolved alias (the anchor must be set before the alias): x',
    ],
    ['depth', '['.repeat(20_000), 'the nesting is too deep'],
    ['a tag', 'services: !foo []\n', 'web.yaml:1:16: the tag !foo means nothing here; quote a text that begins with !'],
    ['a list as a key', '? [a, b]\n: c\n', 'web.yaml:1:3: expected a word as a key, got a list or a mapping'],
    [
      'an open bracket',
      'services: [1, 2\n',
      'web.yaml:2:1: Flow sequence in block collection must be sufficiently indented and end with a ]',
    ],
    [
      'bytes that are no UTF-8',
      Buffer.concat([Buffer.from('services:\n  - ü'), Buffer.from([0xff, 0x41])]),
      'web.yaml:2:6: expected UTF-8, got the byte 0xff',
    ],
  ])('%s', (_, text, message) => {
    const lines = refusal(text);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(message);
  });

  test('anchors, aliases and merge keys are taken', () => {
    const { services } = read(`
services:
  - &web
    tcp: 192.0.2.10:80
    scheduler: rr
    destinations: &servers [10.1.0.1]
  - {<<: *web, tcp: '192.0.2.11:80'}
  - {udp: '192.0.2.11:80', destinations: *servers}
`);
    expect(services.map(({ identity, scheduler }) => `${serviceKey(identity)} ${scheduler}`)).toEqual([
      'tcp 192.0.2.10:80 rr',
      'tcp 192.0.2.11:80 rr',
      'udp 192.0.2.11:80 wlc',
    ]);
    expect(refusal('services:\n  - &a {tcp: 1.2.3.4:5, x: 1}\n  - *a\n')).toEqual([
      'web.yaml:2:25: services[0]: unknown key "x": expected tcp, udp, sctp, mark, family, scheduler, scheduler_flags, persistence, method, weight, upper_threshold, lower_threshold, tunnel, checks, on_failure, on_remove, quorum, slow_start, notify, one_packet, mss_clamp, uoa, local_addresses, destinations or sorry_server',
      'web.yaml:2:25: services[1]: unknown key "x": expected tcp, udp, sctp, mark, family, scheduler, scheduler_flags, persistence, method, weight, upper_threshold, lower_threshold, tunnel, checks, on_failure, on_remove, quorum, slow_start, notify, one_packet, mss_clamp, uoa, local_addresses, destinations or sorry_server',
    ]);
  });
});

test('an MSS clamp of TCP, and of nothing else', () => {
  const of = (service: string): string => `services:\n  - ${service}\n    mss_clamp: `;
  const read = (text: string) => parseConfig(Buffer.from(text), 'web.yaml').services[0]?.mssClamp;
  expect([read(`${of('tcp: 192.0.2.10:80')}path\n`), read(`${of('mark: 7')}1300\n`)]).toEqual(['path', 1300]);
  expect(() => read(`${of('tcp: 192.0.2.10:80')}50\n`)).toThrow('expected path or a number of bytes from 88 to 65495');
  expect(() => read(`${of('udp: 192.0.2.10:53')}path\n`)).toThrow('segments are of tcp');
});

test('UOA of UDP, as the family allows', () => {
  const of = (service: string): string => `services:\n  - ${service}\n    uoa: `;
  const read = (text: string) => parseConfig(Buffer.from(text), 'dns.yaml').services[0]?.uoa;
  expect([read(`${of('udp: 192.0.2.10:53')}ipo\n`), read(`${of("udp: '[2001:db8::1]:53'")}opp\n`)]).toEqual([
    'ipo',
    'opp',
  ]);
  expect(() => read(`${of('tcp: 192.0.2.10:80')}ipo\n`)).toThrow('uoa is of udp');
  expect(() => read(`${of("udp: '[2001:db8::1]:53'")}ipo\n`)).toThrow('expected opp');
  expect(() => read(`${of('udp: 192.0.2.10:53')}toa\n`)).toThrow('expected one of ipo or opp');
});
