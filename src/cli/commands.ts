// All commands: how each is used and described. What runs them is loaded when it is needed.
import type { SettingRow } from '../config.ts';
import type { Command } from './command.ts';

const ofClients = ({ name, client }: SettingRow) => client || name === 'data' || name === 'config';
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
    summary: 'List the processes that serve models',
    options: [],
    takes: ofClients,
    examples: ['aimass ps'],
    load: async () => (await import('./appliance.ts')).listInstances,
  },
];

const models: Command[] = [
  {
    name: 'push',
    operands: ['[NAME]', 'FILE|DIR'],
    summary: 'Store a model, or the next version of one, and serve it',
    details: [
      'FILE is an ONNX file, or a .zip, .tar or .tar.gz of a folder. DIR is a folder with an ONNX file and its ' +
        'external data, or a Triton model repository.',
      'NAME may be left out where the file or the folder says it: digits.onnx becomes digits, and the folders of a ' +
        'Triton repository name its models. A broken connection is resumed.',
    ],
    options: [
      { name: 'manifest', value: 'FILE', help: 'JSON that says what the model is for: task, labels, preprocess, …' },
      noLoad,
    ],
    takes: ofClients,
    examples: ['aimass push digits model.onnx', 'aimass push model_repository/ --no-load'],
    load: async () => (await import('./push.ts')).push,
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
  { title: 'Models', commands: models },
  { title: 'Templates', commands: templates },
  { title: 'The machine', commands: machine },
  { title: 'This program', commands: about },
];

export const commands: Command[] = commandGroups.flatMap((group) => group.commands);
