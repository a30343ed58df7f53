// Each forwarding method: established connections at several numbers of them, new ones, and replies.
import { type Method, methods } from '../../src/model/service.ts';
import type { Row } from '../row.ts';
import { type Bench, fill, type Question, row, rowsInTurn, type Stream, total, traffic } from './bench.ts';
import { type Family, type Hook, type Traffic, tcpFlag } from './generator.ts';
import { run, toRow } from './measure.ts';
import { replies } from './replies.ts';
import { families, type Scene, service, withScene } from './scene.ts';

/** Of masq's service; the other methods' are on those that follow. */
const firstPort = 80;
const tunnelHeaders = { 4: 20, 6: 40 } as const;
const udpFlows = 1 << 16;
/** For these a translated connection of IPv6 takes four places in the table, of IPv4 two; there is room for half as many more. */
const translated = { 4: 3 << 19, 6: 3 << 20 } as const;
/** Others take one place in either family. */
const whole = translated[4];

/** Both families' directors are there at once: whoever compares the two compares figures of one time. */
export function methodRows(bench: Bench, say: (text: string) => void): readonly Row[] {
  const most = Math.max(...bench.size.flows);
  return bench.size.together.flatMap((these) => {
    say(`${these.join(', ')}: ${most} connections of IPv4, and of IPv6`);
    const inScene = <T>(family: Family, work: (scene: Scene) => T): T => {
      const table = these.flatMap((method) =>
        (['tcp', 'udp'] as const).map((protocol) => service({ family, port: portOf(method), protocol, method })),
      );
      return withScene(table, { connections: these.some(isTranslated) ? translated[family] : whole }, work);
    };
    return inScene(4, (four) =>
      inScene(6, (six) => these.flatMap((method) => rowsOf(bench, { 4: four, 6: six }, method))),
    );
  });
}

function isTranslated(method: Method): boolean {
  return method === 'masq' || method === 'fullnat';
}

function portOf(method: Method): number {
  return firstPort + methods.indexOf(method);
}

/** A method's services of one family, and the director that has them. */
interface Through {
  readonly scene: Scene;
  readonly family: Family;
  readonly method: Method;
}

function rowsOf(bench: Bench, scenes: Readonly<Record<Family, Scene>>, method: Method): readonly Row[] {
  const { flows: sizes } = bench.size;
  const both = families.map((family): Through => ({ scene: scenes[family], family, method }));
  const created = both.map((one) => createdRow(bench, one));
  const established = sizes.flatMap((flows) =>
    rowsInTurn(
      bench,
      both.map((one) => ofEstablished(one, 'xdp', flows)),
    ),
  );
  // A tunnel header can't be taken off again within a test run of a socket buffer.
  const atTc = method === 'tunnel' ? [] : sizes.filter((flows) => flows === 1 || flows === 1 << 16);
  const tc = atTc.flatMap((flows) =>
    rowsInTurn(
      bench,
      both.map((one) => ofEstablished(one, 'tc', flows)),
    ),
  );
  // By IPv6 a reply is found and rewritten as a request is.
  const replied = isTranslated(method) ? replyRows(bench, scenes[4], method) : [];
  const udp = both.flatMap((one) => udpRows(bench, one));
  return [...established, ...created, ...replied, ...tc, ...udp];
}

function streamOf({ family, method }: Through): Pick<Stream, 'family' | 'port' | 'growth'> {
  return { family, port: portOf(method), growth: method === 'tunnel' ? tunnelHeaders[family] : 0 };
}

/** Makes all connections, which then are established. */
function createdRow(bench: Bench, through: Through): Row {
  const { scene, family, method } = through;
  const flows = Math.max(...bench.size.flows);
  const packets = (tcpFlags: number): Traffic => traffic(scene, 'xdp', { ...streamOf(through), flows, tcpFlags });
  const created = fill(bench, scene, packets(tcpFlag.syn));
  scene.run(() => run(bench.generator, 'xdp', scene.program('director_xdp'), packets(tcpFlag.ack), flows));
  return toRow(`${method} new`, { family, flows }, created);
}

function ofEstablished(through: Through, hook: Hook, flows: number): Question {
  const { scene, family, method } = through;
  return {
    ...{ scene, hook, name: `${hook === 'tc' ? 'tc ' : ''}${method} established`, facts: { family, flows } },
    counter: () => total(scene.maps, 'in_packets'),
    packets: traffic(scene, hook, { ...streamOf(through), flows, tcpFlags: tcpFlag.ack }),
  };
}

function replyRows(bench: Bench, scene: Scene, method: Method): readonly Row[] {
  return bench.size.flows.map((flows) => {
    const packets = traffic(scene, 'xdp', { family: 4, port: portOf(method), flows, tcpFlags: tcpFlag.ack });
    const keys = replies(scene.maps, portOf(method), flows);
    // XDP leaves replies to TC when it has to look a client's route up: that is the reply's cost too.
    const facts = { family: 4, flows } as const;
    return row(bench, { scene, hook: 'xdp', name: `${method} reply`, facts, packets: { ...packets, keys } });
  });
}

function udpRows(bench: Bench, through: Through): readonly Row[] {
  const { scene, family, method } = through;
  const most = Math.min(udpFlows, Math.max(...bench.size.flows));
  const packets = (flows: number): Traffic => traffic(scene, 'xdp', { ...streamOf(through), protocol: 'udp', flows });
  const created = fill(bench, scene, packets(most));
  const counter = (): number => total(scene.maps, 'in_packets');
  const established = bench.size.flows
    .filter((flows) => flows <= most)
    .map((flows) => {
      const name = `${method} established, UDP`;
      return row(bench, { scene, hook: 'xdp', name, facts: { family, flows }, counter, packets: packets(flows) });
    });
  return [...established, toRow(`${method} new, UDP`, { family, flows: most }, created)];
}
