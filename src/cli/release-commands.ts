// How the commands about going live, and about versions beside what they are made of, are used and described.
import { type Command, ofClients, type Option } from './command.ts';

/** What a release asks for; what is not named is as in what is live, or has its default. */
export const wishOptions: Option[] = [
  { name: 'endpoint', value: 'NAME', help: "Name that clients call; the model's own unless given." },
  { name: 'environment', value: 'NAME', help: 'staging or production.' },
  { name: 'statement', value: 'TEXT', help: 'What it is for, what is new.' },
  { name: 'contact', value: 'TEXT', help: 'Whom to ask.' },
  { name: 'licence', value: 'SPDX', help: 'Licence under which the model is offered.' },
  { name: 'min', value: 'N', help: 'Instances that always run; 0: it is started when it is asked for.' },
  { name: 'max', value: 'N', help: 'Most instances.' },
  { name: 'device', value: 'ID[,ID]', help: 'Only on these devices; any: on all of the environment.' },
  { name: 'domain', value: 'HOST', help: "Host name of the endpoint's own; none: without." },
  { name: 'timeout', value: 'TIME', help: 'Longest time that a request may take, such as 2s.' },
  { name: 'queue', value: 'N', help: "Requests that may wait; 0: the version's own setting." },
  { name: 'rate', value: 'N', help: 'Requests a second of all callers together; none: any number.' },
  { name: 'at', value: 'TIME', help: 'Not before, such as 2026-01-31T22:00:00Z; now: as soon as it is approved.' },
  {
    name: 'canary',
    value: 'STEPS',
    help: 'Shares that it gets before it gets all, and how long each lasts, such as 5:10m,25:10m,50:5m; none: all at once.',
  },
  {
    name: 'shadow',
    value: 'SHARE:TIME',
    help: 'First so many percent of the requests are sent to it as well, such as 10:30m; none: not.',
  },
  {
    name: 'sticky',
    value: 'HEADER',
    help: 'Callers with the same value in it get the same version; none: each by itself.',
  },
  {
    name: 'trial-keys',
    value: 'NAMES',
    help: 'API keys whose requests get the new version in every step; none: none.',
  },
  { name: 'min-requests', value: 'N', help: 'A step of the canary lasts until it has answered so many.' },
];

const follow = {
  name: 'follow',
  help: 'With submit, send, approve and status: wait till it is live or not to be, step by step.',
};

export const release: Command[] = [
  {
    name: 'release',
    operands: ['[VERB]', '[NAME|ID]', '[TEXT]'],
    summary: 'Ask for a model to go live, decide on it, follow it, and take it back',
    verbs: [
      { usage: 'list', help: 'Releases, newest first; also without a verb.' },
      { usage: 'submit NAME[:VERSION]', help: 'Ask for it; reviewers see it then. --draft only writes it down.' },
      { usage: 'change ID', help: 'Change a draft, or one for which changes were asked.' },
      { usage: 'send ID', help: 'Send a draft, or a changed one, to review.' },
      { usage: 'withdraw ID', help: 'Take it back before it was decided.' },
      { usage: 'status ID', help: 'How it is doing, and what its endpoint gets.' },
      { usage: 'show ID', help: 'All that a reviewer looks at: differences, checks, evidence, what happened.' },
      { usage: 'comment ID TEXT', help: 'Say something about it.' },
      { usage: 'attach ID --title T', help: 'Attach what speaks for it: numbers, a text, a link.' },
      { usage: 'approve ID', help: 'Approve it: from here everything happens by itself.' },
      { usage: 'ask ID --reason R', help: 'Give it back to be changed.' },
      { usage: 'reject ID --reason R', help: 'Reject it.' },
      { usage: 'advance ID', help: 'Go to the next step of its rollout now.' },
      { usage: 'rollback ENDPOINT', help: 'End a rollout, or put the release before back, or --to any earlier one.' },
    ],
    details: [
      'With submit and change, the options from --endpoint to --min-requests say what is asked for. What is not named is ' +
        'as in what is live at the endpoint, or has its default.',
      'With --follow the exit code is 0 when it is live, and 1 when it was rejected, withdrawn, given back, rolled back or ' +
        'failed.',
    ],
    options: [
      ...wishOptions,
      {
        name: 'from',
        value: 'URL|server:PATH',
        help: 'With submit: have the server fetch it first, as the next version of NAME.',
      },
      { name: 'draft', help: 'With submit: do not send it to review yet.' },
      follow,
      { name: 'comment', value: 'TEXT', help: 'With approve: for the record.' },
      { name: 'override', value: 'REASON', help: 'With approve: why checks that are red do not matter.' },
      { name: 'reason', value: 'TEXT', help: 'With reject, ask, withdraw and rollback: why.' },
      { name: 'to', value: 'ID', help: 'With rollback: the release that is to be live again.' },
      { name: 'title', value: 'TEXT', help: 'With attach: what it is, in a few words.' },
      { name: 'text', value: 'TEXT', help: 'With attach: what it says.' },
      { name: 'url', value: 'URL', help: 'With attach: where it is.' },
      { name: 'numbers', value: 'NAME=N[,NAME=N]', help: 'With attach: what was measured, such as accuracy=0.97.' },
      { name: 'kind', value: 'KIND', help: 'With attach: report, load-test, link or text.' },
      { name: 'state', value: 'STATE', help: 'With list: only in this state.' },
      { name: 'model', value: 'NAME', help: 'With list: only of this model.' },
      { name: 'limit', value: 'N', help: 'With list: most releases; 50 unless given.' },
    ],
    takes: ofClients,
    examples: [
      'aimass release submit faces:2 --environment production --licence MIT --canary 5:10m,50:10m --follow',
      'aimass release list --state submitted',
      'aimass release approve 12 --comment "good on the night shift"',
      'aimass release rollback faces --reason "too slow"',
    ],
    load: async () => (await import('./release.ts')).release,
  },
  {
    name: 'endpoints',
    operands: ['[NAME|rm]', '[NAME]'],
    summary: 'Show the names that clients call, and what is live there; remove one',
    details: ['rm NAME ends what it serves and forgets the name; its releases stay in the history.'],
    options: [{ name: 'yes', help: 'With rm: do not ask.' }],
    takes: ofClients,
    examples: ['aimass endpoints', 'aimass endpoints faces', 'aimass endpoints rm faces'],
    load: async () => (await import('./endpoints.ts')).endpoints,
  },
  {
    name: 'environments',
    operands: ['[NAME]'],
    summary: 'Show or change what going live needs in staging and in production',
    details: [
      'Settings: devices, max-instances, max-endpoints, requesters, needs-review, four-eyes, keep-warm, watch, freezes; ' +
        'policy.smoke, .max-p95, .evaluation, .load-test, .licence; guard.latency-factor, .latency-floor, .error-margin, ' +
        '.non-finite-margin, .crashes, .disagreement, .min-requests.',
      "A freeze is 'NAME|CRON|TIME' or 'NAME|CRON|TIME|ZONE', several are separated by semicolons; none takes them away.",
    ],
    options: [{ name: 'set', value: 'SETTING=VALUE', isRepeated: true, help: 'Change this setting.' }],
    takes: ofClients,
    examples: [
      'aimass environments production',
      'aimass environments production --set four-eyes=yes --set policy.max-p95=50ms',
      "aimass environments production --set 'freezes=weekend|0 18 * * 5|62h|Europe/Berlin'",
    ],
    load: async () => (await import('./environments.ts')).environments,
  },
];

export const versions: Command[] = [
  {
    name: 'compare',
    operands: ['NAME:VERSION', 'NAME:VERSION'],
    summary: 'Say how two versions differ, what breaks callers first',
    options: [],
    takes: ofClients,
    examples: ['aimass compare faces:1 faces:2'],
    load: async () => (await import('./versions.ts')).compare,
  },
  {
    name: 'tag',
    operands: ['NAME:VERSION', '[TAG…]'],
    summary: 'Show or set the tags and the note of a version, archive it, or bring it back',
    details: ['The tags that are named are all that it has then. Without tags and options it shows what there is.'],
    options: [
      { name: 'note', value: 'TEXT', help: 'What there is to say about it.' },
      { name: 'untag', help: 'Take all tags away.' },
      { name: 'archive', help: 'Keep it, but do not offer it any more.' },
      { name: 'restore', help: 'Offer it again.' },
    ],
    takes: ofClients,
    examples: ['aimass tag faces:2 candidate q3 --note "trained on the March samples"', 'aimass tag faces:1 --archive'],
    load: async () => (await import('./versions.ts')).tag,
  },
  {
    name: 'retention',
    operands: ['NAME'],
    summary: 'Show or set which old versions of a model are kept; the others are removed at once',
    options: [
      { name: 'keep-last', value: 'N', help: 'Newest versions to keep; all: every one.' },
      { name: 'keep-released', value: 'yes|no', help: 'Keep those that were ever live.' },
      { name: 'yes', help: 'Do not ask.' },
    ],
    takes: ofClients,
    examples: ['aimass retention faces', 'aimass retention faces --keep-last 5 --keep-released yes'],
    load: async () => (await import('./versions.ts')).retention,
  },
  {
    name: 'load-test',
    operands: ['NAME[:VERSION]'],
    summary: 'Send made-up inputs to a loaded version for some seconds, and measure',
    details: ['Without VERSION the one that answers now, or the newest.'],
    options: [
      { name: 'seconds', value: 'N', help: '1 to 30; 5 unless given.' },
      { name: 'connections', value: 'N', help: 'Requests at once, 1 to 64; 4 unless given.' },
      { name: 'attach', value: 'ID', help: 'Attach the result to this release, as evidence.' },
    ],
    takes: ofClients,
    examples: ['aimass load-test faces:2 --seconds 10 --connections 8', 'aimass load-test faces:2 --attach 12'],
    load: async () => (await import('./versions.ts')).loadTest,
  },
];
