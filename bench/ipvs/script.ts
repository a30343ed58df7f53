// What the emulated machine does: a client's veth, the director, a dummy device to the real servers; IPVS and Fairlead in turn.
import { root } from '../../test/root.ts';

export interface Effort {
  readonly packets: number;
  readonly rounds: number;
  readonly flows: readonly number[];
  readonly newConnections: number;
}

export const vip = '10.0.0.100';
export const methodPorts = { gate: 5000, masq: 5001, tunnel: 5002, fullnat: 5003 } as const;
type Method = keyof typeof methodPorts;
const options: Readonly<Record<Method, string>> = { gate: '-g', masq: '-m', tunnel: '-i', fullnat: '--fullnat' };
/** New connections' services, so that established ones stay alone. */
const newShift = 100;
const realServers = 4;
const directorMac = '02:00:00:00:00:d0';
const strangerMac = '02:00:00:00:dd:dd';

/** What frames.ts is to do. */
export interface FramesTask extends Effort {
  readonly device: string;
  /** The veth's other end. */
  readonly peer: string;
  readonly vip: string;
  readonly services: readonly { readonly method: Method; readonly port: number; readonly newPort: number }[];
}

/** Prints `= DIRECTOR STEP` before the rounds of each. */
export function countingScript(effort: Effort): string {
  return `
    set -e
    ip link add d0 address ${directorMac} type veth peer name c0
    ip netns add client 2>/dev/null || { mkdir -p /run/netns; mount -t tmpfs none /run/netns; ip netns add client; }
    ip link set c0 netns client
    ip -n client link set c0 up
    ip link set lo up; ip link set d0 up
    ip address add 10.0.0.254/24 dev d0; ip address add ${vip}/32 dev d0
    ip link add dum0 type dummy; ip link set dum0 up; ip address add 10.9.0.254/24 dev dum0
    for i in $(seq 1 ${realServers}); do ip neigh replace 10.9.0.$i lladdr 02:00:00:00:09:0$i dev dum0 nud permanent; done
    ip neigh replace 10.0.0.1 lladdr 02:00:00:00:ee:ee dev d0 nud permanent
    echo 1 >/proc/sys/net/ipv4/ip_forward
    echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter; echo 0 >/proc/sys/net/ipv4/conf/d0/rp_filter
    push() { ip netns exec client /mnt/push c0 "$@"; }
    sent() { cat /sys/class/net/dum0/statistics/tx_packets; }
    step() { echo "= $*"; }
    step bare dropped; push ${strangerMac} ${vip} 9 1 ${effort.packets} ${effort.rounds}
    step bare routed; push ${directorMac} 10.9.0.1 9 1 ${effort.packets} ${effort.rounds}
    ${directorSteps('fairlead', `${root}/bin/ipvsadm`, ['gate', 'masq', 'tunnel', 'fullnat'], effort)}
    ${root}/bin/fairlead detach >/dev/null
    ${framesSteps(effort)}
    ${directorSteps('ipvs', '/usr/sbin/ipvsadm', ['gate', 'masq', 'tunnel'], effort)}`;
}

/** One-armed, for a frame goes out by XDP where it came in; the other end takes frames as a card would, by a program. */
function framesSteps(effort: Effort): string {
  const methods = ['gate', 'masq', 'tunnel', 'fullnat'] as const;
  const services = methods.map((method) => ({
    method,
    port: methodPorts[method],
    newPort: methodPorts[method] + newShift,
  }));
  const task: FramesTask = { ...effort, device: 'd0', peer: 'c0', vip, services };
  const lines = services.flatMap(({ method, port, newPort }) =>
    [port, newPort].flatMap((each) => serviceLines(method, each, '10.0.0.1')),
  );
  return `
    for i in $(seq 1 ${realServers}); do ip neigh replace 10.0.0.1$i lladdr 02:00:00:00:01:0$i dev d0 nud permanent; done
    ip netns exec client ip -force link set c0 xdp obj ${root}/build/bpf/sink.bpf.o sec xdp
    ${root}/bin/fairlead attach d0 --hook xdp >/dev/null
    printf '%s\\n' ${lines.map((line) => `'${line}'`).join(' ')} | ${root}/bin/ipvsadm -R
    ${process.execPath} ${root}/build/bench/bench/ipvs/frames.js '${JSON.stringify(task)}'
    ${root}/bin/fairlead detach >/dev/null
    ip netns exec client ip link set c0 xdp off`;
}

function directorSteps(director: string, ipvsadm: string, methods: readonly Method[], effort: Effort): string {
  const { packets, rounds, flows, newConnections } = effort;
  const lines = methods.flatMap((method) =>
    [0, newShift].flatMap((shift) => serviceLines(method, methodPorts[method] + shift)),
  );
  const established = methods.flatMap((method) =>
    flows.map((count) => {
      const to = `${directorMac} ${vip} ${methodPorts[method]} ${count}`;
      // What is new is so once; then each packet must have come out at the other side.
      return `push ${to} ${count} 2 >/dev/null; before=$(sent)
        step ${director} ${method} established ${count}; push ${to} ${packets} ${rounds}
        echo "sent $(( $(sent) - before )) of ${packets * rounds}"`;
    }),
  );
  const created = methods.map((method) => {
    const to = `${directorMac} ${vip} ${methodPorts[method] + newShift} ${newConnections} ${newConnections} 1`;
    return `before=$(sent); step ${director} ${method} new ${newConnections}; push ${to}
      echo "sent $(( $(sent) - before )) of ${newConnections}"`;
  });
  return `printf '%s\\n' ${lines.map((line) => `'${line}'`).join(' ')} | ${ipvsadm} -R
    ${[...established, ...created].join('\n')}`;
}

/** `network`: how the real servers' addresses begin. */
function serviceLines(method: Method, port: number, network = '10.9.0.'): readonly string[] {
  const service = `-u ${vip}:${port}`;
  const members = Array.from(
    { length: realServers },
    (_, index) => `-a ${service} -r ${network}${index + 1}:${port} ${options[method]}`,
  );
  return [`-A ${service} -s wlc`, ...members];
}
