// What does the real server say of itself? HAProxy's agent-check: a line of words, of which each changes what it names.
import type { AgentChecker } from '../../model/check.ts';
import { withConnection } from '../connection.ts';
import type { Target } from '../target.ts';
import { down, type Finding, type State, unknown, type WeightAdvice } from '../verdict.ts';

const mostCharacters = 1024;

/** That nobody answers counts neither for nor against it, as in HAProxy: an agent can fail while its service is well. */
export async function checkAgent(target: Target, { port, send }: AgentChecker, signal: AbortSignal): Promise<Finding> {
  let said: string | undefined;
  const failure = await withConnection({ ...target, port }, signal, (socket, settle) => {
    let text = '';
    const finish = (): void => {
      said = text;
      settle(down('it has said all'));
    };
    socket.setEncoding('latin1').on('data', (more: string) => {
      text += more;
      if (/[\r\n]/.test(text) || text.length > mostCharacters) finish();
    });
    // The end of what it says is the end of a line too.
    socket.prependListener('end', () => text !== '' && finish());
    if (send !== undefined) socket.write(send);
  });
  return said === undefined ? unknown(`the agent: ${failure.reason}`) : readAgent(said);
}

const states: Readonly<Record<string, State>> = { up: 'up', down: 'down', stopped: 'down', fail: 'down' };
const isQuiescedBy: Readonly<Record<string, boolean>> = { ready: false, drain: true, maint: true };

/** Source: HAProxy's configuration manual, agent-check. `maxconn:N` is understood and has no meaning here. */
export function readAgent(text: string): Finding {
  const line = text.split(/[\r\n]/, 1)[0] ?? '';
  const [words = '', explanation] = line.split('#', 2);
  let state: State = 'unknown';
  let weight: WeightAdvice = {};
  for (const word of words.toLowerCase().split(/[\s,]+/)) {
    const percent = /^(\d{1,5})%$/.exec(word)?.[1];
    state = states[word] ?? state;
    const isQuiesced = isQuiescedBy[word];
    if (isQuiesced !== undefined) weight = { ...weight, isQuiesced };
    if (percent !== undefined) weight = { ...weight, percent: Number(percent) };
  }
  const reason = `the agent says ${JSON.stringify((explanation ?? line).trim().slice(0, 80))}`;
  return Object.keys(weight).length === 0 ? { state, reason } : { state, reason, weight };
}
