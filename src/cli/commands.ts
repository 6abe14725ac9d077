// All commands: how each is used and described. What runs them is loaded when it is needed.
import type { SettingRow } from '../config.ts';
import { type Command, ofClients } from './command.ts';
import { release, versions } from './release-commands.ts';

const ofServer = ({ client }: SettingRow) => !client;
const ofData = ({ name }: SettingRow) => name === 'data' || name === 'config' || name === 'cudaPath';
const every = () => true;
const none = () => false;

const noLoad = { name: 'no-load', help: 'Only store it; do not serve it yet.' };

const serving: Command[] = [
  {
    name: 'serve',
    operands: [],
    summary: 'Start the server',
    details: ['Runs until it gets SIGTERM or SIGINT; then requests in flight finish first.'],
    options: [],
    takes: ofServer,
    examples: ['aimass serve --data /srv/models --listen 0.0.0.0:8700'],
  },
  {
    name: 'config',
    operands: [],
    summary: 'Show every setting and where its value comes from',
    options: [],
    takes: every,
    examples: ['aimass config --data /srv/models'],
    load: async () => (await import('./about.ts')).showConfig,
  },
  {
    name: 'instances',
    alias: 'ps',
    operands: [],
    summary: 'List what serves models, where, and the memory that it holds',
    details: ['Memory is measured (✓) or still estimated (≈). A version that is cold is started when it is asked for.'],
    options: [],
    takes: ofClients,
    examples: ['aimass ps'],
    load: async () => (await import('./appliance.ts')).listInstances,
  },
  {
    name: 'decisions',
    operands: ['[NAME]'],
    summary: 'Say what was decided about instances lately, and why',
    options: [],
    takes: ofClients,
    examples: ['aimass decisions', 'aimass decisions digits --json'],
    load: async () => (await import('./placement.ts')).listDecisions,
  },
];

const models: Command[] = [
  {
    name: 'push',
    operands: ['[NAME]', 'FILE|DIR|URL|server:PATH'],
    summary: 'Store a model, or the next version of one, and serve it',
    details: [
      'FILE is an ONNX file, or a .zip, .tar or .tar.gz of a folder. DIR is a folder with an ONNX file and its external ' +
        'data, or a Triton repository. The server fetches a URL or server:PATH (import_networks, import_folders).',
      'NAME may be left out where the file or the folder says it: digits.onnx becomes digits, and the folders of a ' +
        'Triton repository name its models. A broken connection is resumed.',
    ],
    options: [
      { name: 'manifest', value: 'FILE', help: 'JSON that says what the model is for: task, labels, preprocess, …' },
      noLoad,
    ],
    takes: ofClients,
    examples: ['aimass push digits model.onnx', 'aimass push digits server:/srv/models/digits.onnx --no-load'],
    load: async () => (await import('./push.ts')).push,
  },
  {
    name: 'derive',
    operands: ['NAME:VERSION'],
    summary: 'Store the next version with the same files and a changed manifest, and serve it',
    details: [
      'Versions never change. The file names what is to be otherwise; null takes a field away. With another task it needs ' +
        'the preprocess and postprocess for it too.',
    ],
    options: [
      {
        name: 'manifest',
        value: 'FILE',
        help: 'JSON with what is to be otherwise: task, labels, preprocess, serving, …',
      },
      noLoad,
    ],
    takes: ofClients,
    examples: [
      'aimass derive digits:1 --manifest digits.json',
      'aimass derive digits:1 --manifest labels.json --no-load',
    ],
    load: async () => (await import('./derive.ts')).derive,
  },
  {
    name: 'models',
    alias: 'ls',
    operands: [],
    summary: 'List all models',
    options: [],
    takes: ofClients,
    examples: ['aimass models'],
    load: async () => (await import('./models.ts')).listModels,
  },
  {
    name: 'show',
    operands: ['NAME[:VERSION]'],
    summary: 'Show a model or one of its versions',
    options: [],
    takes: ofClients,
    examples: ['aimass show digits', 'aimass show digits:2'],
    load: async () => (await import('./models.ts')).show,
  },
  {
    name: 'predict',
    operands: ['NAME[:VERSION]', 'FILE'],
    summary: 'Ask a model',
    details: [
      'FILE is a picture (JPEG, PNG, WebP), or a .json file with a row (an object by column), a list of rows, or ' +
        'tensors as the Open Inference Protocol sends them ("inputs").',
    ],
    options: [{ name: 'draw', value: 'PNG', help: 'Write the picture with the answer drawn on it.' }],
    takes: ofClients,
    examples: ['aimass predict faces photo.jpg --draw out.png', 'aimass predict digits:2 request.json --json'],
    load: async () => (await import('./predict.ts')).predict,
  },
  {
    name: 'load',
    operands: ['NAME[:VERSION]'],
    summary: 'Serve a model: this version, or its newest',
    options: [],
    takes: ofClients,
    examples: ['aimass load digits:1'],
    load: async () => (await import('./models.ts')).load,
  },
  {
    name: 'unload',
    operands: ['NAME[:VERSION]'],
    summary: 'Stop serving a model or one of its versions',
    options: [],
    takes: ofClients,
    examples: ['aimass unload digits'],
    load: async () => (await import('./models.ts')).unload,
  },
  {
    name: 'place',
    operands: ['NAME[:VERSION]'],
    summary: 'Show or change where a model may run, or say what would happen',
    details: [
      'Without an option it shows the settings. What is not named stays as it is. --preview changes nothing: it says how ' +
        'the model can run here, where it would start now, what would end for it, or why it finds no room.',
    ],
    options: [
      { name: 'min', value: 'N', help: 'Instances that always run; 0: it is started when it is asked for.' },
      { name: 'max', value: 'N', help: 'Most instances.' },
      {
        name: 'device',
        value: 'ID[,ID]',
        help: "Only on these devices; any: on all. 'aimass devices' shows their ids.",
      },
      { name: 'class', value: 'TEXT', help: 'Only on devices of this name; any: of every name.' },
      { name: 'provider', value: 'NAME', help: 'tensorrt, cuda, webgpu or cpu; auto: the best one that works.' },
      { name: 'one-per-device', value: 'yes|no', help: 'Never two instances on one device.' },
      { name: 'strategy', value: 'NAME', help: 'spread: where most memory is free; pack: where it fills best.' },
      { name: 'priority', value: 'N', help: '0 to 100; higher goes first.' },
      { name: 'pin', value: 'yes|no', help: 'Its instances are never evicted.' },
      { name: 'min-free', value: 'SIZE', help: 'Memory that must stay free on its device, such as 2GiB.' },
      {
        name: 'keep-alive',
        value: 'TIME',
        help: 'Idle instances above --min end after it, such as 10m; none: when room is needed.',
      },
      { name: 'preview', help: 'Only say what would happen, and why.' },
    ],
    takes: ofClients,
    examples: ['aimass place digits --min 1 --pin yes', 'aimass place digits --provider cuda --preview'],
    load: async () => (await import('./placement.ts')).place,
  },
  {
    name: 'rm',
    operands: ['NAME[:VERSION]'],
    summary: 'Remove a model with all its versions, or one version',
    details: ['A version that is served must be unloaded first.'],
    options: [{ name: 'yes', help: 'Do not ask.' }],
    takes: ofClients,
    examples: ['aimass rm digits:1', 'aimass rm digits --yes'],
    load: async () => (await import('./models.ts')).remove,
  },
];

const machine: Command[] = [
  {
    name: 'devices',
    operands: [],
    summary: 'Show GPUs and the processor: memory, load, and what runs there',
    options: [],
    takes: ofClients,
    examples: ['aimass devices'],
    load: async () => (await import('./devices.ts')).listDevices,
  },
  {
    name: 'doctor',
    operands: [],
    summary: 'Say what is wrong with this machine, and what to do about it',
    details: ['Asks the server; where none runs it looks by itself. Exit code 1 when it finds an error.'],
    options: [],
    takes: (setting) => ofClients(setting) || ofData(setting),
    examples: ['aimass doctor', 'aimass doctor --json'],
    load: async () => (await import('./doctor.ts')).doctor,
  },
  {
    name: 'gpu-pack',
    operands: ['install|status|remove', '[FILE|DIR|VERSION]'],
    summary: 'Install, check or remove the libraries that let models use CUDA',
    details: [
      "FILE or DIR holds ONNX Runtime's GPU libraries of the version that is built in: an npm package (.tgz), a NuGet " +
        'package (.nupkg), a Python wheel (.whl) or a folder. Nothing is fetched from the network.',
      'Works on the data folder itself, so run it on the server, as the user that the server runs as.',
    ],
    options: [],
    takes: ofData,
    examples: ['aimass gpu-pack install Microsoft.ML.OnnxRuntime.Gpu.Linux.nupkg', 'aimass gpu-pack status'],
    load: async () => (await import('./gpu-pack.ts')).gpuPack,
  },
];

const templates: Command[] = [
  {
    name: 'templates',
    operands: [],
    summary: 'List the models that are built in',
    options: [],
    takes: ofClients,
    examples: ['aimass templates'],
    load: async () => (await import('./appliance.ts')).listTemplates,
  },
  {
    name: 'install',
    operands: ['TEMPLATE', '[NAME]'],
    summary: 'Make a model from a template and serve it',
    details: ["NAME is the template's own unless given."],
    options: [],
    takes: ofClients,
    examples: ['aimass install face-detection faces'],
    load: async () => (await import('./appliance.ts')).install,
  },
];

const access: Command[] = [
  {
    name: 'setup-link',
    operands: [],
    summary: 'Show a new link that makes the first administrator; while there is none',
    options: [],
    takes: ofClients,
    examples: ['aimass setup-link'],
    load: async () => (await import('./users.ts')).showSetupLink,
  },
  {
    name: 'users',
    operands: ['[add|set|disable|enable|remove|reset|unlock]', '[NAME]'],
    summary: 'List, add and change users',
    details: [
      'Without a verb it lists them. add and reset print a one-time link with which the user chooses a password. unlock ' +
        'ends the wait after failed sign-ins. Roles: administrator, reviewer, owner, viewer.',
    ],
    options: [
      { name: 'role', value: 'ROLE', help: 'With add and set: what the user may do.' },
      { name: 'email', value: 'ADDRESS', help: 'With add and set: where notifications go; none: nowhere.' },
      { name: 'yes', help: 'With remove: do not ask.' },
    ],
    takes: ofClients,
    examples: ['aimass users', 'aimass users add grace --role owner', 'aimass users reset grace'],
    load: async () => (await import('./users.ts')).users,
  },
  {
    name: 'keys',
    operands: ['[add|set|rotate|revoke]', '[NAME|ID]'],
    summary: 'List, make, change, rotate and revoke API keys',
    details: [
      'Without a verb it lists them. add and rotate print the key: it is shown this once. set changes what is given; ' +
        'none takes a limit or the end away, --models all the list of models.',
    ],
    options: [
      {
        name: 'owner',
        value: 'USER',
        help: 'Who answers for it, needed with add; a key can do no more than its owner.',
      },
      { name: 'name', value: 'NAME', help: 'With set: another name.' },
      { name: 'models', value: 'NAME[,NAME]', help: 'Only these models; all unless given.' },
      {
        name: 'allow',
        value: 'WHAT[,WHAT]',
        help: 'predict: call models (the default); read: see them; load: load and unload; manage: bring and place them; release: ask for them to go live.',
      },
      { name: 'expires', value: 'TIME', help: 'When it ends, such as 90d or 12h; never unless given.' },
      { name: 'rate', value: 'N', help: 'Most requests a second.' },
      { name: 'burst', value: 'N', help: 'Requests that may come at once.' },
      { name: 'quota', value: 'N', help: 'Most requests a day (UTC).' },
      { name: 'overlap', value: 'TIME', help: 'With rotate: how long the old key goes on working; 24h unless given.' },
      { name: 'yes', help: 'With revoke: do not ask.' },
    ],
    takes: ofClients,
    examples: [
      'aimass keys',
      'aimass keys add line-3 --owner grace --models digits --expires 90d --rate 50',
      'aimass keys set p3Xb9Qe7LmZk --quota 10000 --rate none --owner grace',
      'aimass keys rotate p3Xb9Qe7LmZk --overlap 24h',
    ],
    load: async () => (await import('./keys.ts')).keys,
  },
  {
    name: 'webhooks',
    operands: ['[add|enable|disable|test|renew|rm|log|retry]', '[NAME|ID]'],
    summary: 'List, make and try webhooks, which tell programs on the network of what happens here',
    details: [
      'Without a verb it lists them. add and renew print the secret that signs what is sent: it is shown this once. test ' +
        'sends an event about nothing; exit code 1 when it does not arrive. log lists what was sent, retry ID sends it again.',
      'The setting notify_to names the networks that they may reach.',
    ],
    options: [
      { name: 'url', value: 'URL', help: 'With add, and needed there: where JSON is posted to.' },
      { name: 'events', value: 'KIND[,KIND]', help: 'Only these, such as release.live; all unless given.' },
      { name: 'environment', value: 'NAME', help: 'Only events about this environment.' },
      { name: 'endpoint', value: 'NAME', help: 'Only events about this endpoint.' },
      { name: 'limit', value: 'N', help: 'Most entries of the log; 50 unless given.' },
      { name: 'yes', help: 'With rm: do not ask.' },
    ],
    takes: ofClients,
    examples: [
      'aimass webhooks',
      'aimass webhooks add tickets --url https://tickets.corp/hooks/aimass --events release.submitted,release.live',
      'aimass webhooks test tickets',
    ],
    load: async () => (await import('./webhooks.ts')).webhooks,
  },
  {
    name: 'audit',
    operands: ['[search|verify|export]'],
    summary: 'Show who did what, and prove that nobody changed the record',
    details: [
      'Without a verb it searches; newest first. verify follows the chain of hashes, exit code 1 when it does not hold. ' +
        'export prints lines of JSON, oldest first.',
    ],
    options: [
      { name: 'actor', value: 'NAME', help: 'Only what this user or key did.' },
      {
        name: 'action',
        value: 'WHAT',
        help: "Only this action, such as createUser; /docs lists them as operations' ids.",
      },
      { name: 'target', value: 'WHAT', help: 'Only what was done to this.' },
      { name: 'from', value: 'TIME', help: 'Not before, such as 2026-01-31 or 2026-01-31T12:00:00Z.' },
      { name: 'to', value: 'TIME', help: 'Only before.' },
      { name: 'limit', value: 'N', help: 'Most entries of a search; 100 unless given.' },
    ],
    takes: ofClients,
    examples: [
      'aimass audit --actor grace',
      'aimass audit verify',
      'aimass audit export --from 2026-01-01 > audit.jsonl',
    ],
    load: async () => (await import('./audit.ts')).audit,
  },
];

const about: Command[] = [
  {
    name: 'version',
    operands: [],
    summary: 'Print the release',
    options: [],
    takes: none,
    examples: ['aimass version'],
    load: async () => (await import('./about.ts')).showVersion,
  },
  {
    name: 'help',
    operands: ['[COMMAND]'],
    summary: 'Say how a command is used',
    options: [],
    takes: none,
    examples: ['aimass help push'],
    load: async () => (await import('./about.ts')).showHelp,
  },
];

export const commandGroups: { title: string; commands: Command[] }[] = [
  { title: 'The server', commands: serving },
  { title: 'Models', commands: [...models, ...versions] },
  { title: 'Going live', commands: release },
  { title: 'Templates', commands: templates },
  { title: 'The machine', commands: machine },
  { title: 'Access', commands: access },
  { title: 'This program', commands: about },
];

export const commands: Command[] = commandGroups.flatMap((group) => group.commands);
