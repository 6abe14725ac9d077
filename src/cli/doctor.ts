// The command that says what is wrong with a machine. Asks the server; where none runs it looks by itself.
import { examineMachine, type Finding } from '../device/doctor.ts';
import { findPack, packOptions } from '../device/gpu-pack.ts';
import { createProbe } from '../device/probe.ts';
import { runtimeVersion } from '../version.ts';
import { type Invocation, Unreachable } from './command.ts';
import { fit, wrap } from './text.ts';

export async function doctor(invocation: Invocation): Promise<number> {
  const { report } = invocation;
  const findings = await lookByServer(invocation).catch(async (error: unknown) => {
    if (!(error instanceof Unreachable) || invocation.settings().config.server) throw error;
    report.note('No server answers: this is what your own user sees, whose rights and limits may differ.\n');
    return lookHere(invocation);
  });
  await report.answer({ findings }, () => findings.map((each) => describe(each, report.terminal.width)).join('\n'));
  return findings.some(({ level }) => level === 'error') ? 1 : 0;
}

async function lookByServer({ client }: Invocation): Promise<Finding[]> {
  const { findings } = await client().get<{ findings: Finding[] }>('/api/v1/doctor');
  return findings;
}

async function lookHere({ settings }: Invocation): Promise<Finding[]> {
  const { config } = settings();
  const pack = await findPack(packOptions(config, runtimeVersion));
  const probe = createProbe({ ownPids: () => new Set() });
  try {
    return await examineMachine(probe, config.data, { pack, runtimeVersion });
  } finally {
    probe.close();
  }
}

const levelWidth = 'warning  '.length;
const topicWidth = 'shared memory  '.length;

function describe({ level, topic, what, fix }: Finding, width = 100): string {
  const indent = ' '.repeat(levelWidth + topicWidth);
  const block = (text: string) => wrap(text, Math.max(width - indent.length, 30)).replaceAll('\n', `\n${indent}`);
  const head = fit(level, levelWidth) + fit(topic, topicWidth) + block(what);
  return fix ? `${head}\n${indent}${block(`→ ${fix}`)}` : head;
}
