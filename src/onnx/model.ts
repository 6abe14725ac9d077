// The parts of ONNX as TypeScript types, named after onnx.proto in camelCase. What bytes they become is schema.ts.

/** What every message may carry: fields that onnx.proto did not have yet, tag included, kept as they were read. */
export interface Message {
  unknownFields?: Uint8Array[];
}

export interface Model extends Message {
  irVersion: number;
  producerName?: string;
  producerVersion?: string;
  domain?: string;
  modelVersion?: bigint;
  docString?: string;
  graph?: Graph;
  opsetImport: OperatorSetId[];
  metadataProps: StringEntry[];
  trainingInfo: TrainingInfo[];
  functions: FunctionDefinition[];
}

export interface OperatorSetId extends Message {
  /** "" or absent is the standard domain, "ai.onnx". */
  domain?: string;
  version?: number;
}

export interface StringEntry extends Message {
  key?: string;
  value?: string;
}

export interface TrainingInfo extends Message {
  initialization?: Graph;
  algorithm?: Graph;
  initializationBinding: StringEntry[];
  updateBinding: StringEntry[];
}

export interface FunctionDefinition extends Message {
  name: string;
  input: string[];
  output: string[];
  /** Names of the attributes without a default; those with one are in `attributeProto`. */
  attribute: string[];
  node: Node[];
  docString?: string;
  opsetImport: OperatorSetId[];
  domain?: string;
  attributeProto: Attribute[];
  valueInfo: ValueInfo[];
  overload?: string;
  metadataProps: StringEntry[];
}

export interface Graph extends Message {
  node: Node[];
  name?: string;
  initializer: Tensor[];
  docString?: string;
  input: ValueInfo[];
  output: ValueInfo[];
  valueInfo: ValueInfo[];
  quantizationAnnotation: TensorAnnotation[];
  sparseInitializer: SparseTensor[];
  metadataProps: StringEntry[];
}

export interface TensorAnnotation extends Message {
  tensorName?: string;
  quantParameterTensorNames: StringEntry[];
}

export interface Node extends Message {
  /** "" stands for an optional input or output that is left out. */
  input: string[];
  output: string[];
  name?: string;
  opType: string;
  attribute: Attribute[];
  docString?: string;
  domain?: string;
  overload?: string;
  metadataProps: StringEntry[];
}

/** One named value; `type` says which of the fields holds it. Models of IR version 1 may leave `type` out. */
export interface Attribute extends Message {
  name: string;
  f?: number;
  i?: bigint;
  s?: Uint8Array;
  t?: Tensor;
  g?: Graph;
  floats?: Float32Array;
  ints?: BigInt64Array;
  strings?: Uint8Array[];
  tensors?: Tensor[];
  graphs?: Graph[];
  docString?: string;
  tp?: Type;
  typeProtos?: Type[];
  type?: number;
  refAttrName?: string;
  sparseTensor?: SparseTensor;
  sparseTensors?: SparseTensor[];
}

export interface ValueInfo extends Message {
  name: string;
  type?: Type;
  docString?: string;
  metadataProps: StringEntry[];
}

export interface Tensor extends Message {
  dims: number[];
  dataType: number;
  segment?: Segment;
  floatData?: Float32Array;
  /** INT32, and also INT8, INT16, UINT8, UINT16, BOOL and, as bits, FLOAT16, BFLOAT16 and the small types. */
  int32Data?: Int32Array;
  stringData?: Uint8Array[];
  int64Data?: BigInt64Array;
  name?: string;
  /** Little-endian elements; a view of the bytes that were read, of any alignment. */
  rawData?: Uint8Array;
  doubleData?: Float64Array;
  /** UINT64 and UINT32. */
  uint64Data?: BigUint64Array;
  docString?: string;
  externalData: StringEntry[];
  /** 1: the data lie in the file that `externalData` names. */
  dataLocation?: number;
  metadataProps: StringEntry[];
}

export interface Segment extends Message {
  begin?: number;
  end?: number;
}

export interface SparseTensor extends Message {
  values?: Tensor;
  indices?: Tensor;
  dims: number[];
}

/** One of the fields says what kind of value it is. */
export interface Type extends Message {
  tensorType?: TensorType;
  sequenceType?: ElementType;
  mapType?: MapType;
  denotation?: string;
  opaqueType?: OpaqueType;
  sparseTensorType?: TensorType;
  optionalType?: ElementType;
}

export interface TensorType extends Message {
  elemType?: number;
  /** Absent: not even the rank is known. */
  shape?: Shape;
}

export interface ElementType extends Message {
  elemType?: Type;
}

export interface MapType extends Message {
  keyType?: number;
  valueType?: Type;
}

export interface OpaqueType extends Message {
  domain?: string;
  name?: string;
}

export interface Shape extends Message {
  dim: Dimension[];
}

/** Neither value nor parameter: the dimension is unknown and has no name. */
export interface Dimension extends Message {
  dimValue?: number;
  dimParam?: string;
  denotation?: string;
}

/** TensorProto.DataType. */
export const dataType = {
  FLOAT: 1,
  UINT8: 2,
  INT8: 3,
  UINT16: 4,
  INT16: 5,
  INT32: 6,
  INT64: 7,
  STRING: 8,
  BOOL: 9,
  FLOAT16: 10,
  DOUBLE: 11,
  UINT32: 12,
  UINT64: 13,
  COMPLEX64: 14,
  COMPLEX128: 15,
  BFLOAT16: 16,
  FLOAT8E4M3FN: 17,
  FLOAT8E4M3FNUZ: 18,
  FLOAT8E5M2: 19,
  FLOAT8E5M2FNUZ: 20,
  UINT4: 21,
  INT4: 22,
  FLOAT4E2M1: 23,
  FLOAT8E8M0: 24,
  UINT2: 25,
  INT2: 26,
} as const;

export type DataTypeName = keyof typeof dataType;

/** Bits of one element in raw data; STRING has no fixed size. */
export const dataTypeBits: Record<Exclude<DataTypeName, 'STRING'>, number> = {
  FLOAT: 32,
  UINT8: 8,
  INT8: 8,
  UINT16: 16,
  INT16: 16,
  INT32: 32,
  INT64: 64,
  BOOL: 8,
  FLOAT16: 16,
  DOUBLE: 64,
  UINT32: 32,
  UINT64: 64,
  COMPLEX64: 64,
  COMPLEX128: 128,
  BFLOAT16: 16,
  FLOAT8E4M3FN: 8,
  FLOAT8E4M3FNUZ: 8,
  FLOAT8E5M2: 8,
  FLOAT8E5M2FNUZ: 8,
  UINT4: 4,
  INT4: 4,
  FLOAT4E2M1: 4,
  FLOAT8E8M0: 8,
  UINT2: 2,
  INT2: 2,
};

const dataTypeNames = new Map<number, DataTypeName>(
  Object.entries(dataType).map(([name, number]) => [number, name as DataTypeName]),
);

export function findDataTypeName(number: number): DataTypeName | undefined {
  return dataTypeNames.get(number);
}

/** AttributeProto.AttributeType. */
export const attributeType = {
  FLOAT: 1,
  INT: 2,
  STRING: 3,
  TENSOR: 4,
  GRAPH: 5,
  FLOATS: 6,
  INTS: 7,
  STRINGS: 8,
  TENSORS: 9,
  GRAPHS: 10,
  SPARSE_TENSOR: 11,
  SPARSE_TENSORS: 12,
  TYPE_PROTO: 13,
  TYPE_PROTOS: 14,
} as const;
