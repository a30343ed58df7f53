// Does it answer an echo request?
import { Pinger } from '../../kernel/ping.ts';
import type { IcmpChecker } from '../../model/check.ts';
import { abortion, explain } from '../reason.ts';
import type { Target } from '../target.ts';
import { down, type Finding, up } from '../verdict.ts';

/** Those of one family have one socket, as long as any of them runs. */
const shared = new Map<4 | 6, { readonly pinger: Pinger; users: number }>();

export async function checkIcmp({ address }: Target, _: IcmpChecker, signal: AbortSignal): Promise<Finding> {
  const { family, bytes } = address;
  try {
    using pinger = usePinger(family);
    return await new Promise<Finding>((resolve) => {
      const stop = pinger.ping(bytes, () => {
        signal.removeEventListener('abort', onAbort);
        resolve(up('it answered'));
      });
      const onAbort = (): void => {
        stop();
        resolve(down(abortion(signal)));
      };
      signal.addEventListener('abort', onAbort);
    });
  } catch (error) {
    return down(explain(error));
  }
}

function usePinger(family: 4 | 6): Pick<Pinger, 'ping'> & Disposable {
  const one = shared.get(family) ?? { pinger: new Pinger(family), users: 0 };
  shared.set(family, one);
  one.users++;
  return {
    ping: (address, answered) => one.pinger.ping(address, answered),
    [Symbol.dispose]: () => {
      one.users--;
      if (one.users > 0) return;
      shared.delete(family);
      one.pinger[Symbol.dispose]();
    },
  };
}
