// Shell completion for bash and zsh, made of the commands' own descriptions: it knows what they know.
import type { Command } from 'commander';

export const shells = ['bash', 'zsh'] as const;
export type Shell = (typeof shells)[number];

/** What may follow a command's words. */
interface Place {
  /** `fairlead mark add`. */
  readonly words: string;
  /** Commands and options. */
  readonly next: readonly string[];
  /** By an option's spelling: what it may be. */
  readonly choices: readonly (readonly [option: string, values: readonly string[]])[];
  readonly takesFiles: boolean;
}

/** Zsh takes bash's, by its own bashcompinit. */
export function completion(program: Command, shell: Shell): string {
  const head =
    shell === 'bash'
      ? '# fairlead completion bash > /etc/bash_completion.d/fairlead\n'
      : '#compdef fairlead\n# fairlead completion zsh > /usr/local/share/zsh/site-functions/_fairlead\nautoload -U +X bashcompinit && bashcompinit\n';
  return `${head}${script(placesOf(program, ''))}`;
}

function placesOf(command: Command, before: string): readonly Place[] {
  const words = before === '' ? command.name() : `${before} ${command.name()}`;
  const options = command.options.filter(({ hidden }) => !hidden);
  const spellings = options.flatMap(({ short, long }) => [short, long].flatMap((one) => one ?? []));
  const place: Place = {
    words,
    next: [...command.commands.map((one) => one.name()), ...spellings, ...argumentChoices(command), '--help'],
    choices: options.flatMap(({ short, long, argChoices }) =>
      argChoices === undefined
        ? []
        : [short, long].flatMap((one) => (one === undefined ? [] : [[one, argChoices] as const])),
    ),
    takesFiles:
      command.registeredArguments.some((argument) => argument.name() === 'file') ||
      options.some(({ flags }) => flags.includes('<file>')),
  };
  return [place, ...command.commands.flatMap((one) => placesOf(one, words))];
}

function argumentChoices(command: Command): readonly string[] {
  return command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []);
}

function script(places: readonly Place[]): string {
  const known = places.map(
    ({ words, next, takesFiles }) => `    '${words}') next='${next.join(' ')}'; files=${takesFiles ? 1 : 0} ;;`,
  );
  const values = places.flatMap(({ words, choices }) =>
    choices.map(([option, each]) => `    '${words} ${option}') next='${each.join(' ')}'; files=0 ;;`),
  );
  return `_fairlead() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" place=fairlead index next files
  for ((index = 1; index < COMP_CWORD; index++)); do
    case "$place \${COMP_WORDS[index]}" in
    ${places.map(({ words }) => `'${words}'`).join(' | ')}) place="$place \${COMP_WORDS[index]}" ;;
    esac
  done
  next='' files=0
  case "$place" in
${known.join('\n')}
  esac
  case "$place $previous" in
${values.length === 0 ? "    '') ;;" : values.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$next" -- "$current"))
  if [ "$files" = 1 ] && [[ $current != -* ]]; then COMPREPLY+=($(compgen -f -- "$current")); fi
}
complete -o filenames -F _fairlead fairlead
`;
}
