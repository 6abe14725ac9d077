// What is said when a model is looked at, started or computes, and why it does not. `{name}` stands for a value.
import type { Said } from '../said.ts';

export const inferenceSaid: Said = [
  [
    "Tensor '{name}' needs {needed} bytes but its external data are said to be {length} bytes long.",
    '张量“{name}”需要 {needed} 字节，但其外部数据声明为 {length} 字节。',
  ],
  ['The model file may be damaged: export the model again.', '模型文件可能已损坏，请重新导出。'],
  ['The file may be damaged: export the model again.', '文件可能已损坏，请重新导出模型。'],
  [
    "Tensor '{name}' has the external data {key} '{text}', which is not a number of bytes.",
    '张量“{name}”的外部数据 {key}“{text}”不是字节数。',
  ],
  [
    "Tensor '{name}' takes its weights from {place}, outside the model's folder.",
    '张量“{name}”的权重位于模型目录之外的 {place}。',
  ],
  [
    'Save the model with its external data in a file beside it, and upload both.',
    '请将外部数据保存在模型旁边的文件中，并一起上传。',
  ],
  [
    "The external data file '{file}' has {size} bytes, but tensor '{name}' lies at {place}.",
    '外部数据文件“{file}”有 {size} 字节，但张量“{name}”位于 {place}。',
  ],
  [
    'The file may be cut short or belong to another export: upload it again together with its model.',
    '文件可能不完整或属于另一次导出，请与模型一起重新上传。',
  ],
  ["The external data file '{file}' is a symbolic link.", '外部数据文件“{file}”是符号链接。'],
  ['Put the file itself in its place.', '请换成文件本身。'],
  ["The external data file '{file}' is missing.", '缺少外部数据文件“{file}”。'],
  [
    'The weights of this model lie in a file of their own: upload the whole folder, or an archive of it.',
    '该模型的权重在单独的文件中，请上传整个目录或其压缩包。',
  ],
  ["Tensor '{name}' has the impossible shape [{shape}].", '张量“{name}”的形状 [{shape}] 无效。'],
  ["Tensor '{name}' has the unknown type {type}.", '张量“{name}”的类型 {type} 未知。'],
  ["'{name}' is larger than 2 GiB, which no ONNX file can be.", '“{name}”超过 2 GiB，ONNX 文件不可能这么大。'],
  [
    'Save the model with its weights as external data and upload the whole folder.',
    '请将权重保存为外部数据，并上传整个目录。',
  ],
  ["'{name}' holds no graph, so it is not an ONNX model.", '“{name}”不含计算图，不是 ONNX 模型。'],
  ['The model has no outputs.', '模型没有输出。'],
  ["'{name}' is empty.", '“{name}”是空文件。'],
  ['Upload it again: nothing of it arrived.', '请重新上传：未收到任何内容。'],
  ["'{name}' is cut short: it ends after {bytes} bytes, within the model.", '“{name}”不完整：在 {bytes} 字节处中断。'],
  [
    'Copy or download it again and compare the sizes, then upload it again.',
    '请重新复制或下载并核对大小，然后重新上传。',
  ],
  ["'{name}' is not an ONNX model, or it is damaged. {why}", '“{name}”不是 ONNX 模型，或已损坏。{why}'],
  [
    'The model has ONNX IR version {version}; this release supports up to {most}.',
    '模型的 ONNX IR 版本为 {version}，本版本最高支持 {most}。',
  ],
  [
    'Export it with an older version of onnx, or set model.ir_version = {version} and save it.',
    '请用较旧版本的 onnx 导出，或设置 model.ir_version = {version} 后保存。',
  ],
  ['The model does not say which versions of ONNX and its operators it uses.', '模型未注明所用的 ONNX 与算子集版本。'],
  [
    "The model uses operator set {version} of '{name}'; this release supports up to {most}.",
    '模型使用“{name}”算子集 {version}，本版本最高支持 {most}。',
  ],
  ['Export it with opset_version={version} or lower.', '请以 opset_version={version} 或更低版本导出。'],
  [
    "The model uses the custom operator '{name}' of domain '{domain}', which ONNX Runtime does not have.",
    '模型使用了域“{domain}”的自定义算子“{name}”，ONNX Runtime 不提供。',
  ],
  [
    'Custom operators need native code that is not run here: export the model with standard ONNX operators only.',
    '自定义算子需要运行本地代码，此处不允许：请仅使用标准 ONNX 算子导出。',
  ],
  ["Input '{name}' declares no shape.", '输入“{name}”未声明形状。'],
  [
    'Export the model with the shapes of its inputs; dimensions that vary may have a name instead of a number.',
    '请导出带输入形状的模型；可变维度可用名称代替数字。',
  ],
  [
    "{role} '{name}' has the type {type}, which cannot be sent over the network protocol.",
    '{role}“{name}”的类型 {type} 无法通过网络协议传输。',
  ],
  [
    'Add a Cast to a standard type such as float32 inside the model and export it again.',
    '请在模型中加入到 float32 等标准类型的 Cast 后重新导出。',
  ],
  ["{role} '{name}' is {what}, not a tensor.", '{role}“{name}”是 {what}，不是张量。'],
  ['Input', '输入'],
  ['Output', '输出'],
  [
    'Export the model without its ZipMap node (in skl2onnx: options={"zipmap": False}) so that it returns tensors.',
    '请去掉 ZipMap 节点（skl2onnx 中 options={"zipmap": False}）后导出，使其返回张量。',
  ],
  ['Export the model with tensors as its inputs and outputs.', '请导出以张量为输入输出的模型。'],
  ["Operator '{name}' does not exist in operator set {version}.", '算子集 {version} 中没有算子“{name}”。'],
  ['Export the model again with an operator set that has it.', '请使用包含该算子的算子集重新导出。'],
  ["Operator '{name}' does not exist in ONNX Runtime.", 'ONNX Runtime 中没有算子“{name}”。'],
  ['Export the model with standard ONNX operators only.', '请仅使用标准 ONNX 算子导出。'],
  [
    "ONNX Runtime cannot compute '{name}' of version {version} with the types used here.",
    'ONNX Runtime 无法以此处的类型计算“{name}”（版本 {version}）。',
  ],
  [
    'Export the model in float32 with a newer operator set (13 or later), or without this operator.',
    '请以 float32 和较新的算子集（13 或以上）导出，或去掉该算子。',
  ],
  ['ONNX Runtime cannot load the model: {why}', 'ONNX Runtime 无法加载模型：{why}'],
  [
    'Check the file with onnx.checker.check_model and export it again (opset {version} or lower).',
    '请用 onnx.checker.check_model 检查文件并重新导出（opset {version} 或更低）。',
  ],
  [
    "Output '{name}' declares no shape, and the model could not be run to find it out.",
    '输出“{name}”未声明形状，且无法通过运行得出。',
  ],
  [
    'Run onnx.shape_inference.infer_shapes on the model, save it and upload that.',
    '请对模型运行 onnx.shape_inference.infer_shapes，保存后上传。',
  ],
  ['The model could not be run on made-up inputs: {why}', '无法用模拟输入运行模型：{why}'],
  ['ONNX Runtime cannot be loaded on this machine: {why}', '本机无法加载 ONNX Runtime：{why}'],
  [
    'Check that the data folder can be read and is not mounted noexec, then start the server again.',
    '请确认数据目录可读且未以 noexec 挂载，然后重启服务器。',
  ],
  ["'{name}' is a map or a sequence, not a tensor.", '“{name}”是映射或序列，不是张量。'],
  [
    "'{name}' has a tensor type (ONNX type {type}) that cannot be served.",
    '“{name}”的张量类型（ONNX 类型 {type}）不受支持。',
  ],
  [
    'Cast it to a standard type such as float32 inside the model and export it again.',
    '请在模型中将其转换为 float32 等标准类型后重新导出。',
  ],
  [
    'Export the model without its ZipMap node (in skl2onnx: options={"zipmap": False}).',
    '请去掉 ZipMap 节点后导出（skl2onnx 中 options={"zipmap": False}）。',
  ],
  ['Datatype {type} cannot be computed by ONNX Runtime here.', '此处的 ONNX Runtime 不支持数据类型 {type}。'],
  ['The model returned a tensor of type {type}.', '模型返回了类型为 {type} 的张量。'],
  ['The work was cancelled.', '任务已取消。'],
  ['The {what} step took longer than {seconds} s.', '步骤 {what} 超过 {seconds} 秒。'],
  ['The {what} step failed: {why}', '步骤 {what} 失败：{why}'],
  [
    'The {what} step was killed, most likely because the machine ran out of memory.',
    '步骤 {what} 被终止，很可能是内存不足。',
  ],
  [
    'Free memory on the machine, for example by unloading models, then try again.',
    '请释放内存（例如卸载模型）后重试。',
  ],

  ["Version {version} of '{model}' cannot be loaded: {why}", '“{model}”的版本 {version} 无法加载：{why}'],
  ['The server is stopping.', '服务器正在停止。'],
  ['There is no room: {why}', '资源不足：{why}'],
  ['No way to run it was found.', '未找到可用的运行方式。'],
  ["'aimass decisions' tells what was tried.", '“aimass decisions”显示了已尝试的方式。'],
  ["Model '{name}' has no version.", '模型“{name}”没有版本。'],
  ["Request for model '{name}' version {version} is not at ready state", '模型“{name}”的版本 {version} 尚未就绪'],
  ["Request for model '{name}' is not at ready state", '模型“{name}”尚未就绪'],
  ['It waits for its place.', '正在等待分配位置。'],
  ['Not enough shared memory: {bytes} bytes are needed.', '共享内存不足：需要 {bytes} 字节。'],
  [
    'Make /dev/shm larger (mount -o remount,size=…) or use smaller batches.',
    '请增大 /dev/shm（mount -o remount,size=…）或减小批大小。',
  ],
  ['This instance is ending already.', '该实例正在结束。'],
  ['Look at the list again.', '请重新查看列表。'],
  ['There is no such instance.', '没有该实例。'],
  ['It has ended; the list shows those that run.', '它已结束，列表中显示正在运行的实例。'],
  ["There is no instance '{id}'.", '没有实例“{id}”。'],
  ['It has ended; list the instances.', '它已结束，请查看实例列表。'],
  ["Version {version} of '{model}' is being unloaded.", '“{model}”的版本 {version} 正在卸载。'],
  ['Load it again instead.', '请改为重新加载。'],

  ['The system killed it because memory ran out.', '内存耗尽，系统将其终止。'],
  [
    'Set a smaller maxBatchSize, unload other models, or run it on another device.',
    '请减小 maxBatchSize、卸载其他模型，或换用其他设备。',
  ],
  ['It was killed (SIGKILL) by hand or by the system.', '被人工或系统终止（SIGKILL）。'],
  [
    'If nobody did, the machine may be short of memory: look at the kernel log.',
    '如非人工操作，可能是内存不足，请查看内核日志。',
  ],
  ['It was killed because it did not answer any more.', '因不再响应而被终止。'],
  [
    'If requests may take this long, raise runTimeoutMs in the settings.',
    '如请求确需这么久，请在设置中提高 runTimeoutMs。',
  ],
  ['The model was not loaded in the time that loadTimeoutMs allows.', '模型未能在 loadTimeoutMs 规定的时间内加载。'],
  [
    'The first run did not end in the time that loadTimeoutMs allows.',
    '首次运行未能在 loadTimeoutMs 规定的时间内完成。',
  ],
  ['Look at the load of the machine, or raise it.', '请检查机器负载，或提高该值。'],
  ['It is left out now; look at the load of the machine, or raise it.', '现已跳过；请检查机器负载，或提高该值。'],
  [
    'The memory of this machine ran out: the model and its values do not fit into what is free.',
    '本机内存耗尽：空闲内存容纳不下模型及其数据。',
  ],
  [
    'The memory of the GPU ran out: the model and its values do not fit into what is free.',
    'GPU 显存耗尽：空闲显存容纳不下模型及其数据。',
  ],
  ['The GPU cannot be used any more.', 'GPU 已无法使用。'],
  [
    "Look at 'aimass doctor' and for Xid in the kernel log; it may need a reset, or the machine a restart.",
    '请查看“aimass doctor”及内核日志中的 Xid；可能需要重置 GPU 或重启机器。',
  ],
  [
    'The GPU stopped the work of this process because of an error in it, and computes nothing more for it.',
    'GPU 因错误停止了该进程的计算，不再为其服务。',
  ],
  [
    'If it happens again, pin the model to another provider and keep the log lines for a report.',
    '如再次发生，请将模型固定到其他执行提供程序，并保留日志以便报告。',
  ],
  ['If it happens again, keep the log lines for a report.', '如再次发生，请保留日志以便报告。'],
  ['The model could not be loaded: {why}', '无法加载模型：{why}'],
  ['It crashed ({signal}) in {what}.', '在 {what} 中崩溃（{signal}）。'],
  [
    'The processor does not know an instruction that the program needs, such as one of AVX2.',
    '处理器不支持程序所需的指令（如 AVX2）。',
  ],
  [
    'Use a newer processor; in a virtual machine, pass the features of the host processor through.',
    '请使用更新的处理器；虚拟机请透传宿主处理器特性。',
  ],
  ['Somebody ended it (SIGTERM).', '被人终止（SIGTERM）。'],
  ['Somebody ended it (SIGINT).', '被人终止（SIGINT）。'],
  ["To end a model for good, use 'aimass unload'.", '要彻底停止模型，请使用“aimass unload”。'],
  ['The library {name} cannot be loaded.', '无法加载库 {name}。'],
  ["Look at 'aimass doctor'.", '请查看“aimass doctor”。'],
  ['It ended unexpectedly ({what}). {words}', '意外结束（{what}）。{words}'],
  ['It ended unexpectedly ({what}).', '意外结束（{what}）。'],

  ['This model has no task: it takes and gives tensors only.', '该模型没有任务，仅以张量输入输出。'],
  [
    "The manifest does not say how a picture becomes input '{name}' [{shape}].",
    '清单未说明图片如何成为输入“{name}”[{shape}]。',
  ],
];
