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
/** New connections' services, one a round, so that established ones stay alone. */
const newShift = 100;
const realServers = 4;
const directorMac = '02:00:00:00:00:d0';
const strangerMac = '02:00:00:00:dd:dd';

/** Prints `= NAME|FLOWS` before the rounds of each. */
export function countingScript(effort: Effort): string {
  return `
    set -e
    ip link add d0 address ${directorMac} type veth peer name c0
    ip netns add client
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
    step() { echo "= $1|$2"; }
    step 'bare dropped, TC' 1; push ${strangerMac} ${vip} 9 1 ${effort.packets} ${effort.rounds}
    step 'bare routed, TC' 1; push ${directorMac} 10.9.0.1 9 1 ${effort.packets} ${effort.rounds}
    ${directorSteps('fairlead', `${root}/bin/ipvsadm`, ['gate', 'masq', 'tunnel', 'fullnat'], effort)}
    ${root}/bin/fairlead detach >/dev/null
    ${directorSteps('ipvs', '/usr/sbin/ipvsadm', ['gate', 'masq', 'tunnel'], effort)}`;
}

function directorSteps(director: string, ipvsadm: string, methods: readonly Method[], effort: Effort): string {
  const { packets, rounds, flows, newConnections } = effort;
  const newRounds = Array.from({ length: rounds }, (_, index) => newShift + index * 10);
  const lines = methods.flatMap((method) =>
    [0, ...newRounds].flatMap((shift) => serviceLines(method, methodPorts[method] + shift)),
  );
  const established = methods.flatMap((method) =>
    flows.map((count) => {
      const to = `${directorMac} ${vip} ${methodPorts[method]} ${count}`;
      // What is new is so once; then each packet must have come out at the other side.
      return `push ${to} ${count} 2 >/dev/null; before=$(sent)
        step '${stepName(director, method, 'established')}' ${count}; push ${to} ${packets} ${rounds}
        echo "sent $(( $(sent) - before )) of ${packets * rounds}"`;
    }),
  );
  const created = methods.map((method) => {
    const pushes = newRounds.map((shift) => {
      const port = methodPorts[method] + shift;
      return `push ${directorMac} ${vip} ${port} ${newConnections} ${newConnections} 1`;
    });
    return `before=$(sent); step '${stepName(director, method, 'new')}' ${newConnections}; ${pushes.join('; ')}
      echo "sent $(( $(sent) - before )) of ${newConnections * rounds}"`;
  });
  return `printf '%s\\n' ${lines.map((line) => `'${line}'`).join(' ')} | ${ipvsadm} -R
    ${[...established, ...created].join('\n')}`;
}

/** Fairlead has another hook too. */
function stepName(director: string, method: Method, state: string): string {
  return `${director} ${method} ${state}${director === 'fairlead' ? ', TC' : ''}`;
}

function serviceLines(method: Method, port: number): readonly string[] {
  const service = `-u ${vip}:${port}`;
  const members = Array.from(
    { length: realServers },
    (_, index) => `-a ${service} -r 10.9.0.${index + 1}:${port} ${options[method]}`,
  );
  return [`-A ${service} -s wlc`, ...members];
}
