// The steps of the check, in the order in which they are made. Each tells what it found.
import { join } from 'node:path';

import type { Device } from '../../src/device/device.ts';
import type { PlacementPreview } from '../../src/device/placement-views.ts';
import type { InstanceStatus } from '../../src/inference/instance-status.ts';
import { run as runCommand, until } from '../smoke/appliance.ts';
import { seeded } from '../support/graphs.ts';
import { type Box, findRuntime } from './box.ts';
import { pixels, resnet50, tower } from './models.ts';
import { readGpu, readProcesses, usedMib } from './nvidia-smi.ts';
import { countOf } from './peers.ts';

export interface Context {
  folder: string;
  data: string;
  home: string;
  pack?: string;
  light?: string;
  libraryPath: string;
  provider: string;
  say(text: string): void;
  check(holds: boolean, text: string): void;
  box(): Box;
}

interface Step {
  limitMs: number;
  run(context: Context): Promise<void>;
}

const mebibyte = 1024 ** 2;
const mib = (bytes: number) => `${Math.round(bytes / mebibyte)} MiB`;
const ms = (value: number) => `${value.toFixed(value < 10 ? 2 : 0)} ms`;
const near = (a: number, b: number, slack: number) => Math.abs(a - b) <= slack;

async function gpuOf(box: Box): Promise<Device | undefined> {
  const { devices } = await box.appliance.command<{ devices: Device[] }>('devices');
  return devices.find(({ kind }) => kind === 'cuda');
}

async function freshGpuOf(box: Box): Promise<Device> {
  // Readings may be a second old.
  await Bun.sleep(1100);
  const gpu = await gpuOf(box);
  if (!gpu) throw new Error('no GPU is seen');
  return gpu;
}

const models = {
  squeezenet: { input: 'data_0', shape: [1, 3, 224, 224] },
  resnet50: { input: 'image', shape: [0, 3, 224, 224] },
  tower: { input: 'row', shape: [0, 4096] },
  pixels: { input: 'image', shape: [0, 3, 224, 224] },
} as const;
type ModelName = keyof typeof models;

/** 0 stands for the batch. */
const shapeOf = (name: ModelName, batch: number): number[] => models[name].shape.map((size) => size || batch);

async function ask(box: Box, name: ModelName, batch: number, as: string = name) {
  const shape = shapeOf(name, batch);
  return box.ask(as, models[name].input, shape, seeded(countOf(shape), 11 + batch));
}

async function installPack({ pack, home, data, libraryPath, say, check }: Context) {
  const args = ['--data', data, '--cuda-path', libraryPath];
  const env = { LD_LIBRARY_PATH: process.env.LD_LIBRARY_PATH ?? '' };
  if (pack) {
    const { code, stderr } = await runCommand(home, ['gpu-pack', 'install', pack, ...args], env);
    check(code === 0, `gpu-pack install ends with ${code} ${stderr.trim()}`);
  }
  const { stdout } = await runCommand(home, ['gpu-pack', 'status', ...args], env);
  say(stdout.trim());
  check(/cuda can be loaded/.test(stdout), 'CUDA can be loaded');
  const { stdout: alone } = await runCommand(home, ['doctor', ...args], env);
  say(`doctor without a server:\n${alone.trim()}`);
}

async function compareDevices({ box: get, say, check }: Context) {
  const box = get();
  const gpu = await freshGpuOf(box);
  const smi = readGpu();
  say(`nvidia-smi: ${JSON.stringify(smi)}`);
  const { reading } = gpu;
  say(`appliance:  ${JSON.stringify({ ...gpu, reading: { ...reading, processes: reading.processes.length } })}`);
  check(gpu.name === smi.name, `name ${gpu.name}`);
  check(gpu.id === smi.uuid, `UUID ${gpu.id}`);
  check(smi.pci.toLowerCase().endsWith(gpu.pciAddress ?? '?'), `PCI address ${gpu.pciAddress} is ${smi.pci}`);
  check(gpu.driverVersion === smi.driver, `driver ${gpu.driverVersion}`);
  check(gpu.computeCapability === smi.computeCapability, `compute capability ${gpu.computeCapability}`);
  check(near(reading.totalBytes / mebibyte, Number(smi.totalMib), 1), `total ${mib(reading.totalBytes)}`);
  check(near(reading.freeBytes / mebibyte, Number(smi.freeMib), 20), `free ${mib(reading.freeBytes)} / ${smi.freeMib}`);
  check(near(reading.temperatureC ?? NaN, Number(smi.temperatureC), 3), `${reading.temperatureC} °C`);
  check(near(reading.powerW ?? NaN, Number(smi.powerW), 40), `${reading.powerW} W / ${smi.powerW}`);
  check(near(reading.powerLimitW ?? NaN, Number(smi.powerLimitW), 1), `limit ${reading.powerLimitW} W`);
  check(near(reading.memoryClockMhz ?? NaN, Number(smi.memoryClockMhz), 1), `memory ${reading.memoryClockMhz} MHz`);
  say(`SM clock ${reading.smClockMhz} / ${smi.smClockMhz} MHz`);
  say(`nvidia-smi's processes: ${[...readProcesses()].join(' ')}`);
  const { findings } = await box.appliance.command<{ findings: object[] }>('doctor').catch(() => ({ findings: [] }));
  for (const finding of findings) say(JSON.stringify(finding));
  say((await box.appliance.run('devices')).stdout.trim());
}

async function pushAll({ box: get, folder, light, provider: wanted, say, check }: Context) {
  const box = get();
  const startedMs = performance.now();
  await Bun.write(join(folder, 'resnet50.onnx'), resnet50());
  await Bun.write(join(folder, 'tower.onnx'), tower(12));
  await Bun.write(join(folder, 'pixels.onnx'), pixels());
  say(`models written in ${ms(performance.now() - startedMs)}`);
  const files: [ModelName, string][] = [
    ...(light ? [['squeezenet', join(light, 'light_squeezenet.onnx')] as [ModelName, string]] : []),
    ...(['resnet50', 'tower', 'pixels'] as const).map((name): [ModelName, string] => [
      name,
      join(folder, `${name}.onnx`),
    ]),
  ];
  for (const [name, path] of files) {
    const pushedMs = performance.now();
    const { code, stderr } = await box.appliance.run('push', name, path);
    check(code === 0, `push ${name} in ${ms(performance.now() - pushedMs)} ${code === 0 ? '' : stderr}`);
    for (const { kind, reason } of (await box.decisions(name)).toReversed()) say(`  ${kind}: ${reason}`);
    if (code !== 0) continue;
    const instance = await box.ready(name);
    check(instance.provider === wanted, `${name} runs on ${instance.provider}`);
    await tellMemory(box, name, instance, say, check);
  }
  await tellBooks(box, say, check);
  say((await box.appliance.run('ps')).stdout.trim());
  say((await box.appliance.run('place', 'resnet50', '--preview')).stdout.trim());
}

async function tellMemory(
  box: Box,
  name: string,
  { pid, heldBytes, measured }: InstanceStatus,
  say: Context['say'],
  check: Context['check'],
) {
  const told = readProcesses().get(pid ?? 0);
  const { ways } = await box.appliance.command<PlacementPreview>('place', name, '--preview');
  const way = ways[0];
  say(
    `${name}: estimate ${mib(way?.estimatedBytes ?? 0)}, measured ${mib(way?.bytes ?? 0)} (${measured}), held ${mib(heldBytes)}, nvidia-smi ${told} MiB`,
  );
  if (told !== undefined)
    check(near(heldBytes / mebibyte, told, Math.max(64, told * 0.05)), `${name}'s books are nvidia-smi's`);
}

/** Used by all, and by our own, as the books and nvidia-smi have it. */
async function tellBooks(box: Box, say: Context['say'], check: Context['check']) {
  await Bun.sleep(1500);
  const account = (await box.accounts()).find(({ deviceId }) => deviceId !== 'cpu')!;
  const smi = readGpu();
  const own = new Set((await box.instances()).map(({ pid }) => pid));
  const processes = readProcesses();
  const ours = [...processes].filter(([pid]) => own.has(pid)).reduce((sum, [, used]) => sum + used, 0);
  const used = Number(smi.usedMib) + Number(smi.reservedMib);
  const booked = (account.usedByOthersBytes + account.heldBytes) / mebibyte;
  say(
    `books: held ${mib(account.heldBytes)}, others ${mib(account.usedByOthersBytes)}, available ${mib(account.availableBytes)}`,
  );
  say(`nvidia-smi: used ${smi.usedMib} + reserved ${smi.reservedMib}, our processes ${ours} MiB`);
  check(near(booked, used, 64 + used * 0.03), `books have ${Math.round(booked)} MiB in use, nvidia-smi ${used}`);
}

async function compareAnswers({ box: get, provider, say, check }: Context) {
  const box = get();
  const cases: [ModelName, number[]][] = [
    ['squeezenet', [1]],
    ['resnet50', [1, 8]],
    ['tower', [1, 8]],
  ];
  for (const [name, batches] of cases) {
    if ((await box.instances(name)).length === 0) continue;
    const onGpu = await Promise.all(batches.map((batch) => ask(box, name, batch)));
    await box.appliance.command('place', name, '--provider', 'cpu');
    await box.ready(name, 'cpu');
    const onCpu = await Promise.all(batches.map((batch) => ask(box, name, batch)));
    for (const [index, batch] of batches.entries()) {
      const [a, b] = [onGpu[index]!.values, onCpu[index]!.values];
      const largest = b.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const furthest = b.reduce((most, value, at) => Math.max(most, Math.abs(value - a[at]!)), 0);
      const text = `${name} batch ${batch}: ${b.length} values, largest ${largest.toPrecision(3)}, furthest apart ${furthest.toExponential(2)} = ${((100 * furthest) / largest).toFixed(4)} %`;
      check(b.length > 0 && a.length === b.length && furthest / largest < 0.01, text);
    }
    const switchedMs = performance.now();
    await box.appliance.command('place', name, '--provider', provider);
    await box.ready(name, provider);
    say(`${name} back on ${provider} after ${ms(performance.now() - switchedMs)}`);
  }
}

/** How long the first request of each batch size takes, and the second. */
async function firstOfSizes({ box: get, say }: Context) {
  for (const name of ['resnet50', 'tower'] as const) {
    const words: string[] = [];
    for (let batch = 1; batch <= 12; batch++) {
      const [first, second] = [await ask(get(), name, batch), await ask(get(), name, batch)];
      words.push(`${batch}: ${ms(first.ms)}, ${ms(second.ms)}`);
    }
    say(`${name}, first and second request by batch: ${words.join('; ')}`);
  }
}

async function compareSpeed({ box: get, data, folder, libraryPath, say, check }: Context) {
  const box = get();
  const nativeFolder = await findRuntime(data);
  const cudart = libraryPath
    .split(':')
    .map((place) => join(place, 'libcudart.so.13'))
    .find((path) => Bun.file(path).size > 0);
  for (const name of ['tower', 'resnet50'] as const) {
    const { provider } = await box.ready(name);
    const { input } = models[name];
    for (const batch of [1, 8, 32]) {
      const shape = shapeOf(name, batch);
      const settings = { path: join(folder, `${name}.onnx`), nativeFolder, provider, input, shape, seconds: 2 };
      const bare = await box.bare(settings as Parameters<Box['bare']>[0]);
      const pinned =
        cudart && provider === 'cuda' ? await box.bare({ ...settings, provider: 'cuda', pinWith: cudart }) : undefined;
      const words = [`bare ${(bare.perSecond * batch).toFixed(0)} rows/s (${ms(bare.p50Ms)})`];
      if (pinned) words.push(`page-locked ${(pinned.perSecond * batch).toFixed(0)} (${ms(pinned.p50Ms)})`);
      for (const connections of batch === 1 ? [1, 8, 64] : [1, 4]) {
        const rate = await box.load({ model: name, input, shape, connections, seconds: 2 });
        const ratio = rate.perSecond / bare.perSecond;
        words.push(
          `${connections} conn. ${(rate.perSecond * batch).toFixed(0)} (${ms(rate.p50Ms)}, p99 ${ms(rate.p99Ms)}) ×${ratio.toFixed(2)}`,
        );
        if (rate.failed > 0) check(false, `${rate.failed} failed: ${rate.complaint}`);
      }
      say(`${name} batch ${batch}: ${words.join('; ')}`);
    }
  }
}

async function cycle({ box: get, say, check }: Context) {
  const box = get();
  for (const name of ['resnet50', 'tower', 'pixels', 'squeezenet']) await box.appliance.run('unload', name);
  await Bun.sleep(500);
  const baseMib = usedMib();
  say(`nothing is loaded: nvidia-smi has ${baseMib} MiB in use`);
  const left: number[] = [];
  const loadMs: number[] = [];
  const most: number[] = [];
  const endMs = performance.now() + 75_000;
  for (let round = 0; round < 24 && performance.now() < endMs; round++) {
    const name: ModelName = round % 4 === 3 ? 'tower' : round % 2 === 0 ? 'squeezenet' : 'resnet50';
    const startedMs = performance.now();
    await box.appliance.json(`/api/v1/models/${name}/load`, {});
    loadMs.push(performance.now() - startedMs);
    const { status, text } = await ask(box, name, 1);
    if (status !== 200) check(false, `${name} answers ${status} ${text}`);
    most.push(usedMib());
    await box.appliance.json(`/api/v1/models/${name}/unload`, {});
    left.push(usedMib() - baseMib);
  }
  say(`in use while loaded: ${most.join(' ')}; loads took ${loadMs.map((value) => Math.round(value)).join(' ')} ms`);
  check(left.length >= 20, `${left.length} times loaded, asked and unloaded`);
  check(
    left.every((value) => Math.abs(value) <= 1),
    `left over after each, in MiB: ${left.join(' ')}`,
  );
}

async function kill({ box: get, say, check }: Context) {
  const box = get();
  for (const name of ['resnet50', 'tower']) await box.appliance.run('load', name);
  const before = await box.ready('tower');
  const [tower, other] = [
    box.load({ model: 'tower', input: 'row', shape: [1, 4096], connections: 8, seconds: 6 }),
    box.load({ model: 'resnet50', input: 'image', shape: [1, 3, 224, 224], connections: 4, seconds: 6 }),
  ];
  await Bun.sleep(1500);
  const killedMs = performance.now();
  process.kill(before.pid!, 'SIGKILL');
  await until('another process', async () =>
    (await box.instances('tower')).some(({ pid, state }) => pid !== before.pid && state === 'ready'),
  );
  say(`another process is ready ${ms(performance.now() - killedMs)} after kill -9`);
  for (const [name, rate] of [
    ['tower', await tower],
    ['resnet50', await other],
  ] as const) {
    say(
      `${name}: ${Math.round(rate.perSecond)} requests/s, p50 ${ms(rate.p50Ms)}, p99 ${ms(rate.p99Ms)}, ${rate.failed} failed ${rate.complaint}`,
    );
    check(rate.failed === 0, `no request for ${name} was lost`);
  }
  say(
    (await box.decisions('tower'))
      .slice(0, 3)
      .map(({ kind, reason }) => `${kind}: ${reason}`)
      .join('\n'),
  );
}

const libcuda = 'libcuda.so.1';

async function runOut({ box: get, provider, say, check }: Context) {
  const box = get();
  for (const name of ['resnet50', 'pixels']) await box.appliance.run('load', name);
  await box.appliance.run('unload', 'tower');
  await box.ready('pixels');
  await tellBooks(box, say, check);
  const held = await box.hold({ leaveBytes: 400 * mebibyte, library: libcuda });
  try {
    const gpu = await freshGpuOf(box);
    const foreign = gpu.reading.processes.find(({ pid }) => pid === held.pid);
    say(`another program leaves ${mib(held.freeBytes)}; the appliance sees ${JSON.stringify(foreign)}`);
    check(foreign !== undefined && !foreign.own, 'it is seen as none of ours');
    await tellBooks(box, say, check);
    const still = await ask(box, 'resnet50', 1);
    check(still.status === 200, `what was loaded answers: ${still.status} in ${ms(still.ms)}`);
    say((await box.appliance.run('place', 'tower', '--provider', provider, '--preview')).stdout.trim());
    // A picture whose values need gigabytes.
    const shape = [1, 3, 2048, 2048];
    const large = await box.ask('pixels', 'image', shape, new Float32Array(countOf(shape)));
    say(`pixels of 2048 × 2048: ${large.status} in ${ms(large.ms)} ${large.status === 200 ? '' : large.text}`);
    for (const { kind, reason } of (await box.decisions('pixels')).slice(0, 6).toReversed())
      say(`  ${kind}: ${reason}`);
    const started = performance.now();
    await box.appliance.command('place', 'tower', '--provider', 'auto');
    const { code, stderr } = await box.appliance.run('load', 'tower');
    say(`load tower: ${code} ${stderr.trim()} after ${ms(performance.now() - started)}`);
    const [instance] = await box.instances('tower');
    check(instance?.provider === 'cpu', `tower runs on ${instance?.provider}`);
    for (const { kind, reason } of (await box.decisions('tower')).slice(0, 5).toReversed()) say(`  ${kind}: ${reason}`);
    await box.appliance.command('place', 'tower', '--provider', provider);
    await Bun.sleep(1500);
    say((await box.appliance.run('ps')).stdout.trim());
  } finally {
    await held.letGo();
  }
  await Bun.sleep(3000);
  await tellBooks(box, say, check);
  for (const name of ['pixels', 'tower', 'resnet50']) await box.appliance.run('unload', name);
}

async function makeRoom({ box: get, folder, provider, say, check }: Context) {
  const box = get();
  for (const name of ['tower', 'resnet50', 'pixels', 'squeezenet']) await box.appliance.run('unload', name);
  await box.appliance.command('place', 'tower', '--provider', provider);
  await box.appliance.run('push', 'second', join(folder, 'tower.onnx'), '--no-load');
  await box.appliance.command('place', 'second', '--provider', provider);
  const { ways } = await box.appliance.command<PlacementPreview>('place', 'tower', '--preview');
  const need = ways[0]!.bytes;
  const reserve = (await box.accounts()).find(({ deviceId }) => deviceId !== 'cpu')!.reserveBytes;
  const held = await box.hold({ leaveBytes: reserve + need * 1.5, library: libcuda });
  try {
    await Bun.sleep(1500);
    say(`one takes ${mib(need)}, ${mib(held.freeBytes)} are free, ${mib(reserve)} of them are kept free`);
    const times: string[] = [];
    await box.appliance.run('load', 'tower');
    await box.appliance.run('load', 'second');
    for (const [round, name] of ['tower', 'second', 'tower', 'second'].entries()) {
      const answer = await ask(box, 'tower', 1, name);
      check(answer.status === 200, `${name} answers ${answer.status} ${answer.status === 200 ? '' : answer.text}`);
      times.push(`${name} ${ms(answer.ms)}`);
      const all = (await box.instances()).filter(({ state }) => state === 'ready');
      check(
        all.length === 1 && all[0]!.model === name && all[0]!.provider === provider,
        `round ${round}: ${all.map(({ model, provider }) => `${model} on ${provider}`).join()} alone`,
      );
    }
    say(times.join(', '));
    for (const { kind, model, reason } of (await box.decisions()).slice(0, 12).toReversed())
      say(`  ${model} ${kind}: ${reason}`);
  } finally {
    await held.letGo();
  }
  for (const name of ['tower', 'second']) await box.appliance.run('unload', name);
  await Bun.sleep(1000);
  say(`in use at the end: ${usedMib()} MiB`);
}

export const steps: Record<string, Step> = {
  pack: { limitMs: 60_000, run: installPack },
  devices: { limitMs: 20_000, run: compareDevices },
  push: { limitMs: 90_000, run: pushAll },
  answers: { limitMs: 60_000, run: compareAnswers },
  sizes: { limitMs: 30_000, run: firstOfSizes },
  speed: { limitMs: 90_000, run: compareSpeed },
  cycles: { limitMs: 90_000, run: cycle },
  kill: { limitMs: 40_000, run: kill },
  full: { limitMs: 60_000, run: runOut },
  evict: { limitMs: 60_000, run: makeRoom },
};
