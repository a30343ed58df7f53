// What most packets are not: fragments, those that nobody serves, and those that are dropped.
import type { Row } from '../row.ts';
import { type Bench, fill, row, total, traffic } from './bench.ts';
import { type Hook, tcpFlag } from './generator.ts';
import { run } from './measure.ts';
import { type Scene, service, withScene } from './scene.ts';

const family = 4;
const ports = { tcp: 80, empty: 81, nobody: 82, gone: 83 } as const;
/** Time exceeded is answered, but for the rate limit: a test run's packet has no room for what is put in front again and again. */
const mayDrop = ['adjust-failed', 'ttl-exceeded', 'no-destination', 'destination-gone'];

export function rareRows(bench: Bench, say: (text: string) => void): readonly Row[] {
  say('fragments, and packets that are not forwarded');
  const empty = { ...service({ family, port: ports.empty }), destinations: [] };
  const table = [
    service({ family, port: ports.tcp }),
    service({ family, port: ports.tcp, protocol: 'udp', method: 'masq' }),
    ...[empty, service({ family, port: ports.gone })],
  ];
  return withScene(table, { mayDrop }, (scene) => [
    ...fragmentRows(bench, scene),
    ...passRows(bench, scene),
    ...dropRows(bench, scene),
  ]);
}

/** The pieces of as many datagrams as there are flows. */
function fragmentRows(bench: Bench, scene: Scene): readonly Row[] {
  return bench.size.flows
    .filter((flows) => flows <= 1 << 10)
    .flatMap((flows) => {
      const datagrams = { family, port: ports.tcp, protocol: 'udp', flows } as const;
      run(
        bench.generator,
        'xdp',
        scene.program('director_xdp'),
        traffic(scene, 'xdp', { ...datagrams, fragment: 'first' }),
        flows,
      );
      const counter = (): number => total(scene.maps, 'in_packets');
      return (['first', 'later'] as const).map((fragment) =>
        row(bench, {
          ...{ scene, hook: 'xdp', name: `masq established, ${fragment} fragment`, facts: { family, flows }, counter },
          packets: traffic(scene, 'xdp', { ...datagrams, fragment }),
        }),
      );
    });
}

/** The kernel's: what a director costs all else that comes in. */
function passRows(bench: Bench, scene: Scene): readonly Row[] {
  return (['xdp', 'tc'] as const).map((hook) =>
    row(bench, {
      ...{ scene, hook, name: `${hook === 'tc' ? 'tc ' : ''}passed, no such service`, facts: { family, flows: 1 } },
      packets: traffic(scene, hook, { family, port: ports.nobody, flows: 1, tcpFlags: tcpFlag.ack }),
    }),
  );
}

function dropRows(bench: Bench, scene: Scene): readonly Row[] {
  const syn = { family, flows: 1, tcpFlags: tcpFlag.syn } as const;
  fill(bench, scene, traffic(scene, 'xdp', { ...syn, port: ports.gone, flows: bench.size.parts }));
  scene.director.change(({ services }) => ({
    services: services.map((one) =>
      one.identity.kind === 'address' && one.identity.port === ports.gone ? { ...one, destinations: [] } : one,
    ),
  }));
  const dropped = (hook: Hook, reason: string, stream: Parameters<typeof traffic>[2], name: string): Row =>
    row(bench, {
      ...{ scene, hook, name, facts: { family, flows: stream.flows }, counter: () => scene.drops()[reason] ?? 0 },
      packets: traffic(scene, hook, stream),
    });
  return [
    dropped('tc', 'no-destination', { ...syn, port: ports.empty }, 'tc dropped, no destination'),
    dropped('tc', 'ttl-exceeded', { ...syn, port: ports.tcp, ttl: 1 }, 'tc dropped, time to live exceeded'),
    dropped(
      'xdp',
      'destination-gone',
      { ...syn, port: ports.gone, tcpFlags: tcpFlag.ack },
      'dropped, destination gone',
    ),
  ];
}
