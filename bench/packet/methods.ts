// Each forwarding method: established connections at several numbers of them, new ones, and replies.
import { type Method, methods } from '../../src/model/service.ts';
import type { Row } from '../row.ts';
import { type Bench, fill, row, total, traffic } from './bench.ts';
import { type Family, type Hook, tcpFlag } from './generator.ts';
import { run, toRow } from './measure.ts';
import { replies } from './replies.ts';
import { type Scene, service, withScene } from './scene.ts';

/** Of masq's service; the other methods' are on those that follow. */
const firstPort = 80;
const tunnelHeaders = { 4: 20, 6: 40 } as const;
const udpFlows = 1 << 16;
/** For these a translated connection of IPv6 takes four places in the table, of IPv4 two; there is room for half as many more. */
const translated = { 4: 3 << 19, 6: 3 << 20 } as const;
/** Others take one place in either family. */
const whole = translated[4];

export function methodRows(bench: Bench, say: (text: string) => void): readonly Row[] {
  const most = Math.max(...bench.size.flows);
  return ([4, 6] as const).flatMap((family) =>
    bench.size.together.flatMap((these) => {
      say(`${these.join(', ')}: ${most} connections of IPv${family}`);
      const table = these.flatMap((method) =>
        (['tcp', 'udp'] as const).map((protocol) => service({ family, port: portOf(method), protocol, method })),
      );
      return withScene(table, { connections: these.some(isTranslated) ? translated[family] : whole }, (scene) =>
        these.flatMap((method) => rowsOf(bench, scene, family, method)),
      );
    }),
  );
}

function isTranslated(method: Method): boolean {
  return method === 'masq' || method === 'fullnat';
}

function portOf(method: Method): number {
  return firstPort + methods.indexOf(method);
}

function rowsOf(bench: Bench, scene: Scene, family: Family, method: Method): readonly Row[] {
  const { generator, size } = bench;
  const most = Math.max(...size.flows);
  const growth = method === 'tunnel' ? tunnelHeaders[family] : 0;
  const stream = { family, port: portOf(method), growth };
  const created = fill(bench, scene, traffic(scene, 'xdp', { ...stream, flows: most, tcpFlags: tcpFlag.syn }));
  const acknowledged = { ...stream, tcpFlags: tcpFlag.ack };
  run(generator, 'xdp', scene.program('director_xdp'), traffic(scene, 'xdp', { ...acknowledged, flows: most }), most);
  const counter = (): number => total(scene.maps, 'in_packets');
  const established = (hook: Hook, name: string, flows: number): Row =>
    row(
      bench,
      scene,
      { hook, name, facts: { family, flows }, counter },
      traffic(scene, hook, { ...acknowledged, flows }),
    );
  const rows = size.flows.map((flows) => established('xdp', `${method} established`, flows));
  rows.push(toRow(`${method} new`, { family, flows: most }, created));
  // By IPv6 a reply is found and rewritten as a request is.
  if (family === 4 && isTranslated(method)) rows.push(...replyRows(bench, scene, method));
  // A tunnel header can't be taken off again within a test run of a socket buffer.
  const atTc = size.flows.filter((flows) => flows === 1 || flows === 1 << 16);
  if (!growth) rows.push(...atTc.map((flows) => established('tc', `tc ${method} established`, flows)));
  return [...rows, ...udpRows(bench, scene, family, { method, growth })];
}

function replyRows(bench: Bench, scene: Scene, method: Method): readonly Row[] {
  return bench.size.flows.map((flows) => {
    const packets = traffic(scene, 'xdp', { family: 4, port: portOf(method), flows, tcpFlags: tcpFlag.ack });
    const keys = replies(scene.maps, portOf(method), flows);
    // XDP leaves replies to TC when it has to look a client's route up: that is the reply's cost too.
    return row(
      bench,
      scene,
      { hook: 'xdp', name: `${method} reply`, facts: { family: 4, flows } },
      { ...packets, keys },
    );
  });
}

function udpRows(
  bench: Bench,
  scene: Scene,
  family: Family,
  { method, growth }: { readonly method: Method; readonly growth: number },
): readonly Row[] {
  const most = Math.min(udpFlows, Math.max(...bench.size.flows));
  const stream = (flows: number) =>
    traffic(scene, 'xdp', { family, port: portOf(method), protocol: 'udp', flows, growth });
  const created = fill(bench, scene, stream(most));
  const counter = (): number => total(scene.maps, 'in_packets');
  const established = bench.size.flows
    .filter((flows) => flows <= most)
    .map((flows) =>
      row(
        bench,
        scene,
        { hook: 'xdp', name: `${method} established, UDP`, facts: { family, flows }, counter },
        stream(flows),
      ),
    );
  return [...established, toRow(`${method} new, UDP`, { family, flows: most }, created)];
}
