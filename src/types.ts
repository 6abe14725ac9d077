// The words every room shares: tensors, signatures, manifests and serving settings. Types and constants only.

/** Datatypes of the Open Inference Protocol v2, with the bytes of one element (BYTES has no fixed size). */
export const datatypeBytes = {
  BOOL: 1,
  UINT8: 1,
  UINT16: 2,
  UINT32: 4,
  UINT64: 8,
  INT8: 1,
  INT16: 2,
  INT32: 4,
  INT64: 8,
  FP16: 2,
  FP32: 4,
  FP64: 8,
  BF16: 2,
  BYTES: 0,
} as const;

export type Datatype = keyof typeof datatypeBytes;

export interface TensorSpec {
  name: string;
  datatype: Datatype;
  /** Row-major shape; −1 is a dimension that may vary from request to request. */
  shape: number[];
  /** The ONNX name of each dimension ("" where it has none), to tell which variable dimensions belong together. */
  dimNames?: string[];
}

export interface Signature {
  inputs: TensorSpec[];
  outputs: TensorSpec[];
}

/** One tensor in wire form. */
export interface TensorData {
  name: string;
  datatype: Datatype;
  shape: number[];
  /** Row-major, little-endian, no padding. BYTES elements are a uint32 length and that many bytes each. */
  bytes: Uint8Array;
}

/** What was read out of the model files when they were inspected. */
export interface ModelFacts {
  format: 'onnx';
  irVersion: number;
  /** Operator set version by domain; the default domain is "ai.onnx". */
  opsets: Record<string, number>;
  producer: string;
  /** Number of weights, external data included. */
  parameters: number;
  /** Bytes of weights, external data included. */
  weightBytes: number;
  /** Bytes of tensors that are in no file: made when the model is loaded, of shapes that are constants. */
  generatedBytes?: number;
  /** How often each operator occurs, subgraphs included; other domains are written "domain::Op". */
  operators: Record<string, number>;
  /** By output: the operator that gives it, without its domain. */
  outputOperators?: Record<string, string>;
}

export interface QueuePolicy {
  /** What happens to a request whose timeout passes in the queue: refused, or moved behind the others. */
  timeoutAction: 'REJECT' | 'DELAY';
  /** 0: the appliance's own request timeout alone. */
  defaultTimeoutUs: number;
  allowTimeoutOverride: boolean;
  /** Requests that may wait at once; 0: the appliance's own limit. */
  maxQueueSize: number;
}

export interface ServingSettings {
  /** Largest batch along dimension 0; 0: the model takes no batch dimension. */
  maxBatchSize: number;
  preferredBatchSizes: number[];
  /** How long a batch may wait for company although an instance is free. 0 is work-conserving. */
  maxQueueDelayUs: number;
  /** 0: no priorities. Otherwise 1 is the highest. */
  priorityLevels: number;
  defaultPriorityLevel: number;
  queuePolicy: QueuePolicy;
  /** Runner processes that serve this version. */
  instances: number;
  /** Intra-op threads of each instance; 0: the appliance decides. */
  threads: number;
}

export const defaultServing: ServingSettings = {
  maxBatchSize: 0,
  preferredBatchSizes: [],
  maxQueueDelayUs: 0,
  priorityLevels: 0,
  defaultPriorityLevel: 0,
  queuePolicy: { timeoutAction: 'REJECT', defaultTimeoutUs: 0, allowTimeoutOverride: true, maxQueueSize: 0 },
  instances: 1,
  threads: 0,
};

export const taskNames = [
  'tensor',
  'image-classification',
  'object-detection',
  'tabular-classification',
  'tabular-regression',
] as const;

/** What a model is for. "tensor" is a model that is only called with tensors. */
export type TaskName = (typeof taskNames)[number];

/** How a picture becomes the model's input tensor. */
export interface ImagePreprocess {
  kind: 'image';
  /** Input tensor; the model's only input if absent. */
  input?: string;
  width: number;
  height: number;
  /**
   * stretch: to width × height. crop: the shorter side to resizeTo, then the centre.
   * letterbox: the whole picture inside, padded evenly with `pad`. pad-right: scaled to the height, padded on the right.
   */
  fit: 'stretch' | 'crop' | 'letterbox' | 'pad-right';
  /** Shorter side before the centre is cut out; only for crop; the larger of width and height if absent. */
  resizeTo?: number;
  filter: 'bilinear' | 'bicubic' | 'nearest' | 'lanczos';
  layout: 'NCHW' | 'NHWC';
  colour: 'RGB' | 'BGR' | 'GRAY';
  /** value = (pixel · scale − mean[c]) / std[c], pixel in 0…255. */
  scale: number;
  mean: number[];
  std: number[];
  /** Pixel value 0…255 of the padding. */
  pad?: number;
}

/** How a row of named or ordered values becomes the model's input tensors. */
export interface TabularPreprocess {
  kind: 'table';
  /** Input tensor; the model's only input if absent. */
  input?: string;
  columns: TableColumn[];
}

export interface TableColumn {
  name: string;
  kind: 'number' | 'category';
  /** For category: the position of a value here is its number. */
  categories?: string[];
  /** Used when a row leaves the column out; without it a missing value is an error. */
  fallback?: number | string;
  mean?: number;
  std?: number;
}

export type Preprocess = ImagePreprocess | TabularPreprocess;

/** Classes: one score for each label, along the last dimension. */
export interface ClassificationPostprocess {
  kind: 'classes';
  output?: string;
  /** none: the output already holds probabilities. */
  activation: 'none' | 'softmax' | 'sigmoid';
  top: number;
}

/** Single-shot detector with anchors (BlazeFace and its kin). */
export interface AnchorDetectionPostprocess {
  kind: 'anchors';
  /** Raw scores and boxes, one pair for each feature map; concatenated in this order. */
  scores: string[];
  boxes: string[];
  activation: 'none' | 'sigmoid';
  /** Feature maps: cells along one side and anchors in each cell, in the order of the outputs. */
  maps: { cells: number; anchors: number }[];
  /** Box and key-point values are divided by this. */
  boxScale: number;
  keypoints: string[];
  minScore: number;
  maxOverlap: number;
  maxBoxes: number;
}

/** Boxes and scores for each candidate, as YOLO-like and torchvision-like exports give them. */
export interface BoxDetectionPostprocess {
  kind: 'boxes';
  /** Shape [1,N,4] or [N,4]. */
  boxes: string;
  /** Shape [1,N,C], [1,C,N] or [N] (with `classes`). */
  scores: string;
  classes?: string;
  format: 'xyxy' | 'cxcywh' | 'yxyx';
  /** Coordinates in pixels of the input tensor, or in 0…1 of it. */
  units: 'pixels' | 'relative';
  activation: 'none' | 'sigmoid' | 'softmax';
  /** Class index that means "nothing", dropped before scoring. */
  background?: number;
  minScore: number;
  maxOverlap: number;
  maxBoxes: number;
}

export interface RegressionPostprocess {
  kind: 'numbers';
  output?: string;
  names?: string[];
}

export type Postprocess =
  ClassificationPostprocess | AnchorDetectionPostprocess | BoxDetectionPostprocess | RegressionPostprocess;

/** Where a version came from. */
export interface Origin {
  kind: 'upload' | 'template' | 'triton' | 'version' | 'url' | 'path';
  /**
   * File name, template name or folder, as the person gave it; "NAME:VERSION" of the version whose files it has; address
   * without its query, or path on the server.
   */
  from?: string;
}

/** Everything about a version that is not in the model file itself. Immutable once the version exists. */
export interface Manifest {
  task: TaskName;
  labels?: string[];
  preprocess?: Preprocess;
  postprocess?: Postprocess;
  serving: ServingSettings;
  /** SPDX expression. */
  licence?: string;
  description?: string;
  origin: Origin;
}

/** Result of looking at model files in a child process. */
export interface Inspection {
  signature: Signature;
  facts: ModelFacts;
  /** True if a trial run showed that rows of dimension 0 are computed independently of each other. */
  batchable: boolean;
  warnings: string[];
}

export interface FileEntry {
  /** Path inside the version, "/" separated, never absolute, never with "..". */
  path: string;
  sha256: string;
  bytes: number;
}

export interface VersionRecord {
  model: string;
  version: number;
  manifest: Manifest;
  signature: Signature;
  facts: ModelFacts;
  warnings: string[];
  files: FileEntry[];
  /** Path of the ONNX file among `files`. */
  entry: string;
  bytes: number;
  createdAt: string;
}

export interface ModelRecord {
  name: string;
  createdAt: string;
  /** Version numbers, ascending. */
  versions: number[];
  /** Version that answers when a client names none; null: the model is unloaded. */
  current: number | null;
}

/** Which WebGPU adapters are used: those of GPUs that the system names, whatever Vulkan has, or none. */
export const adapterModes = ['auto', 'on', 'off'] as const;
export type AdapterMode = (typeof adapterModes)[number];
