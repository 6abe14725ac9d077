// Every setting in one table: its default, how its text is read and what it is for.
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

import type { LogLevel } from './log.ts';
import {
  duration,
  filled,
  folders,
  gibibyte,
  hostName,
  mebibyte,
  oneOf,
  parseListen,
  serverUrl,
  size,
  whole,
} from './setting-text.ts';
import { type AdapterMode, adapterModes } from './types.ts';

export interface Config {
  /** Absolute path of the folder that holds everything the appliance keeps. */
  data: string;
  /** Settings file that was read; "" if there is none. */
  config: string;
  /** "HOST:PORT"; see parseListen. */
  listen: string;
  logLevel: LogLevel;
  requestTimeoutMs: number;
  loadTimeoutMs: number;
  coldWaitMs: number;
  runTimeoutMs: number;
  drainTimeoutMs: number;
  inspectTimeoutMs: number;
  inspectMemoryMb: number;
  maxUploadBytes: number;
  uploadExpiryHours: number;
  maxBodyBytes: number;
  maxJsonBytes: number;
  maxJsonTensorBytes: number;
  maxInflatedBytes: number;
  maxQueueSize: number;
  threads: number;
  reserveBytes: number;
  /** These three: networks, separated by commas. */
  openTo: string;
  unreleased: 'owners' | 'everyone';
  /** "" for none. */
  endpointDomain: string;
  metricsTo: string;
  trustedProxies: string;
  tls: TlsMode;
  /** Absolute paths of PEM files; "" for none. */
  tlsCert: string;
  tlsKey: string;
  /** "HOST:PORT"; "" for no such listener. */
  httpRedirect: string;
  /** 0: the header is not sent. */
  hstsSeconds: number;
  /** Origin that people's browsers use, without a slash at its end; "" if nobody said. */
  publicUrl: string;
  /** "" for no single sign-on. */
  oidcIssuer: string;
  oidcClientId: string;
  /** Secret; never print it. */
  oidcClientSecret: string;
  oidcGroupsClaim: string;
  /** "group=role,group2=role". */
  oidcRoles: string;
  oidcName: string;
  oidcAllowHttp: 'off' | 'on';
  /** Networks, separated by commas. */
  importNetworks: string;
  /** Absolute folders, separated by colons; "" for none. */
  importFolders: string;
  /** Networks, separated by commas. */
  notifyTo: string;
  /** "" for no mail. Secret; never print it. */
  smtpUrl: string;
  mailFrom: string;
  webgpu: AdapterMode;
  /** Absolute folders, separated by colons; "" for none. */
  cudaPath: string;
  /** URL of the server that the commands talk to; "": the unix socket in the data folder. */
  server: string;
  /** Secret; never print it. */
  key: string;
}

export const tlsModes = ['off', 'self-signed', 'files'] as const;
export type TlsMode = (typeof tlsModes)[number];

export type SettingName = keyof Config;
export type SettingSource = 'flag' | 'variable' | 'file' | 'default';

export interface Setting<T> {
  fallback: T | ((surroundings: Surroundings) => T);
  parse: (text: string) => T;
  /** The default in words, where it depends on the machine. */
  fallbackText?: string;
  help: string;
  /** Used by the commands that talk to a server, and ignored by `serve`. */
  client?: boolean;
  /** Never shown. One of the server cannot be given as a flag, which everybody on the machine can read. */
  isSecret?: boolean;
}

const logLevels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

export const settings: { [K in SettingName]: Setting<Config[K]> } = {
  data: {
    fallback: defaultDataFolder,
    parse: (text) => resolve(filled(text)),
    fallbackText: '/var/lib/aimass as root, else ~/.local/share/aimass',
    help: 'Folder that holds models, the database and the socket.',
  },
  config: {
    fallback: '',
    parse: (text) => resolve(filled(text)),
    fallbackText: 'aimass.toml in the data folder, if it exists',
    help: 'Settings file (TOML).',
  },
  listen: {
    fallback: '127.0.0.1:8700',
    parse: (text) => (parseListen(text), text),
    help: 'Address and port to serve on.',
  },
  logLevel: {
    fallback: 'info',
    parse: oneOf(logLevels),
    help: 'debug, info, warn or error. debug logs every request.',
  },
  requestTimeoutMs: {
    fallback: 60_000,
    parse: duration(1),
    help: 'Longest time a request may take when it names no timeout itself.',
  },
  loadTimeoutMs: { fallback: 120_000, parse: duration(1), help: 'Longest time an instance may take to start.' },
  coldWaitMs: {
    fallback: 30_000,
    parse: duration(0),
    help: 'Longest time a request waits for the first instance of its version to start.',
  },
  runTimeoutMs: {
    fallback: 60_000,
    parse: duration(1),
    help: 'A batch that computes longer is taken as hung and its instance is replaced.',
  },
  drainTimeoutMs: { fallback: 30_000, parse: duration(0), help: 'At shutdown, how long running requests may finish.' },
  inspectTimeoutMs: { fallback: 120_000, parse: duration(1), help: 'Longest time to look at an uploaded model.' },
  inspectMemoryMb: {
    fallback: 4096,
    parse: whole(64, 16 * 1024 ** 2),
    help: 'Memory in MiB that looking at an uploaded model may take beyond its weights.',
  },
  maxUploadBytes: { fallback: 64 * gibibyte, parse: size(1), help: 'Largest file that may be uploaded.' },
  uploadExpiryHours: {
    fallback: 24,
    parse: whole(1, 24 * 365),
    help: 'Hours after which an unfinished upload is removed.',
  },
  maxBodyBytes: { fallback: 256 * mebibyte, parse: size(1024), help: 'Largest body of an inference request.' },
  maxJsonBytes: { fallback: 64 * mebibyte, parse: size(1024), help: 'Largest JSON part of a request.' },
  maxJsonTensorBytes: {
    fallback: 64 * mebibyte,
    parse: size(1024),
    help: 'Largest tensor, in binary form, that is read or written as JSON.',
  },
  maxInflatedBytes: { fallback: 512 * mebibyte, parse: size(1024), help: 'Largest compressed body once inflated.' },
  maxQueueSize: {
    fallback: 1024,
    parse: whole(1, 1_000_000),
    help: 'Requests that may wait for one version, unless it sets its own limit.',
  },
  threads: {
    fallback: 0,
    parse: whole(0, 4096),
    help: 'Cores that all instances may use together; 0 is all of them.',
  },
  reserveBytes: {
    fallback: 512 * mebibyte,
    parse: size(0),
    help: 'Memory that is kept free on every device.',
  },
  openTo: {
    fallback: '',
    parse: (text) => text,
    help: 'Networks, e.g. 10.1.0.0/16,127.0.0.1, where models may be called without a key.',
  },
  unreleased: {
    fallback: 'owners',
    parse: oneOf(['owners', 'everyone'] as const),
    help: 'Who may call versions that no release has made live: owners, or everyone who may call models.',
  },
  endpointDomain: {
    fallback: '',
    parse: hostName,
    help: 'Domain, e.g. models.corp.lan, below which every endpoint is reached by a host name of its own.',
  },
  metricsTo: {
    fallback: '',
    parse: (text) => text,
    help: 'Networks where /metrics may be read without a key.',
  },
  trustedProxies: {
    fallback: '',
    parse: (text) => text,
    help: 'Networks of reverse proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.',
  },
  tls: {
    fallback: 'off',
    parse: oneOf(tlsModes),
    help: 'off: plain HTTP; self-signed: a certificate made at the first start; files: tls_cert and tls_key.',
  },
  tlsCert: {
    fallback: '',
    parse: (text) => resolve(filled(text)),
    help: "PEM file with the server's certificate, then those that lead to the authority. Read again when it changes.",
  },
  tlsKey: { fallback: '', parse: (text) => resolve(filled(text)), help: 'PEM file with its key, without passphrase.' },
  httpRedirect: {
    fallback: '',
    parse: (text) => (parseListen(text), text),
    help: 'Address and port, e.g. 0.0.0.0:80, where plain HTTP is sent on to HTTPS.',
  },
  hstsSeconds: {
    fallback: 0,
    parse: whole(0, 10 * 365 * 86_400),
    help: 'How long browsers shall refuse plain HTTP once they came by HTTPS; 0 does not ask them to.',
  },
  publicUrl: {
    fallback: '',
    parse: serverUrl,
    help: 'Address that people open, e.g. https://gpu-box.corp:8700, for links and single sign-on.',
  },
  oidcIssuer: {
    fallback: '',
    parse: filled,
    help: 'URL of the OpenID Connect provider, for single sign-on.',
  },
  oidcClientId: { fallback: '', parse: filled, help: 'Name that the provider knows this appliance by.' },
  oidcClientSecret: {
    fallback: '',
    parse: filled,
    isSecret: true,
    help: "The provider's secret for this appliance; only as a variable or in the settings file.",
  },
  oidcGroupsClaim: { fallback: 'groups', parse: filled, help: "Claim with a person's groups." },
  oidcRoles: {
    fallback: '',
    parse: filled,
    help: 'Which group has which role, e.g. ml-admins=administrator,ml-team=owner,staff=viewer.',
  },
  oidcName: { fallback: 'SSO', parse: filled, help: 'Name of the provider on the sign-in page.' },
  oidcAllowHttp: {
    fallback: 'off',
    parse: oneOf(['off', 'on'] as const),
    help: 'on: the provider may be without TLS. For tests alone.',
  },
  importNetworks: {
    fallback: '',
    parse: (text) => text,
    help: 'Networks, e.g. 10.1.0.0/16, that models may be fetched from; without any they come by upload or path.',
  },
  importFolders: {
    fallback: '',
    parse: folders,
    help: 'Folders on the server, separated by colons, e.g. /srv/models, that models may be imported from.',
  },
  notifyTo: {
    fallback: '',
    parse: (text) => text,
    help: 'Networks, e.g. 10.1.0.0/16, that webhooks may send to; without any there are no webhooks.',
  },
  smtpUrl: {
    fallback: '',
    parse: filled,
    isSecret: true,
    help: 'Mail server, e.g. smtp://name:password@mail.corp:587; only as a variable or in the settings file.',
  },
  mailFrom: {
    fallback: '',
    parse: filled,
    help: 'Sender of notifications by mail, e.g. AI Mass <aimass@corp.example>.',
  },
  webgpu: {
    fallback: 'auto',
    parse: oneOf(adapterModes),
    help: "auto: WebGPU on AMD's and Intel's GPUs; on: also on an adapter that only Vulkan sees; off: never.",
  },
  cudaPath: {
    fallback: ({ env }) => folders(env.LD_LIBRARY_PATH ?? ''),
    parse: folders,
    fallbackText: 'LD_LIBRARY_PATH',
    help: "Folders, separated by colons, that are searched for CUDA's libraries before the system's.",
  },
  server: {
    fallback: '',
    parse: serverUrl,
    fallbackText: 'the socket in the data folder',
    help: 'URL of the server that the commands talk to.',
    client: true,
  },
  key: { fallback: '', parse: filled, help: 'API key that the commands send.', client: true, isSecret: true },
};

export const settingNames = Object.keys(settings) as SettingName[];

export interface Surroundings {
  env: Record<string, string | undefined>;
  /** Text of a file; undefined if there is none. */
  readFile: (path: string) => string | undefined;
  isRoot: boolean;
}

function defaultDataFolder({ env, isRoot }: Surroundings): string {
  // systemd may name several folders, separated by colons.
  const state = env.STATE_DIRECTORY?.split(':')[0];
  if (state) return state;
  if (isRoot) return '/var/lib/aimass';
  return join(env.XDG_DATA_HOME || join(env.HOME || homedir(), '.local', 'share'), 'aimass');
}
