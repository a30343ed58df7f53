// Completion for zsh: a function for each command, in the words of _arguments.
import { type CommandOutline, flatten, type OptionOutline } from './outline.ts';
import { type Words, wordsOfArgument, wordsOfOption } from './words.ts';

export function zshCompletion(outline: CommandOutline): string {
  return `#compdef fairlead
# Completion of fairlead for zsh: as _fairlead in a folder of $fpath, or source <(fairlead completion zsh)

_fairlead_names() {
  local -a found
  found=(\${(f)"$(fairlead names "$@" 2>/dev/null)"})
  compadd -a found
}

${flatten(outline).map(commandFunction).join('\n')}
if [[ $funcstack[1] == _fairlead ]]; then _fairlead "$@"; else compdef _fairlead fairlead; fi
`;
}

function commandFunction(command: CommandOutline): string {
  const { path, commands, options } = command;
  const own = [
    ...options.map(optionSpec),
    ...(commands.length > 0 ? ["'1: :->command'", "'*:: :->rest'"] : command.arguments.map(argumentSpec)),
  ];
  const lines = [
    `${functionName(path)}() {`,
    ...(commands.length === 0 ? [] : ['  local context state state_descr line', '  typeset -A opt_args']),
    `  _arguments -s -S -C \\\n    ${own.join(' \\\n    ')}`,
    ...(commands.length === 0 ? [] : subcommands(commands)),
    '}',
    '',
  ];
  return lines.join('\n');
}

function subcommands(commands: readonly CommandOutline[]): readonly string[] {
  const names = commands.map(({ path, description }) => `${path.at(-1)}:${description.replaceAll(':', '\\:')}`);
  return [
    '  case $state in',
    '    command)',
    '      local -a commands',
    `      commands=(\n        ${names.map(quote).join('\n        ')}\n      )`,
    '      _describe -t commands command commands',
    '      ;;',
    '    rest)',
    '      case $line[1] in',
    ...commands.map(({ path }) => `        ${path.at(-1)}) ${functionName(path)} ;;`),
    '      esac',
    '      ;;',
    '  esac',
  ];
}

function optionSpec(option: OptionOutline): string {
  const { names, description, value } = option;
  const others = names.length > 1 ? `(${names.join(' ')})` : '';
  const taken = value === undefined ? '' : `:${escaped(value)}:${action(wordsOfOption(option))}`;
  const spec = (name: string): string => quote(`${others}${name}[${escaped(description)}]${taken}`);
  return names.map(spec).join(' \\\n    ');
}

function argumentSpec(argument: CommandOutline['arguments'][number]): string {
  const { name, isRequired, isVariadic } = argument;
  const what = `${escaped(name)}:${action(wordsOfArgument(argument))}`;
  if (isVariadic) return quote(`*:${what}`);
  return quote(isRequired ? `:${what}` : `::${what}`);
}

function action(words: Words): string {
  switch (words.kind) {
    case 'choices':
      return `(${words.choices.join(' ')})`;
    case 'names':
      return words.of === 'destinations' ? '{_fairlead_names destinations $line[1]}' : `{_fairlead_names ${words.of}}`;
    case 'interfaces':
      return '_net_interfaces';
    case 'files':
      return '_files';
    case 'none':
      return ' ';
  }
}

function functionName(path: readonly string[]): string {
  return ['_fairlead', ...path].join('_');
}

function escaped(text: string): string {
  return text.replace(/[[\]:\\]/g, '\\$&');
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
