// Field numbers and encodings of onnx.proto, one table for each message. read.ts and write.ts walk these tables.
import type {
  Attribute,
  Dimension,
  ElementType,
  FunctionDefinition,
  Graph,
  MapType,
  Message,
  Model,
  Node,
  OpaqueType,
  OperatorSetId,
  Segment,
  Shape,
  SparseTensor,
  StringEntry,
  Tensor,
  TensorAnnotation,
  TensorType,
  TrainingInfo,
  Type,
  ValueInfo,
} from './model.ts';
import { wireType } from './wire.ts';

/** Lists of numbers that are held as typed arrays. */
export const arrayTypes = {
  floats: Float32Array,
  doubles: Float64Array,
  int32s: Int32Array,
  int64s: BigInt64Array,
  uint64s: BigUint64Array,
};

export type ArrayKind = keyof typeof arrayTypes;

/** How one value of each kind is encoded. */
export const elementWire = {
  int: wireType.varint,
  int64: wireType.varint,
  float: wireType.fixed32,
  string: wireType.bytes,
  bytes: wireType.bytes,
  message: wireType.bytes,
  ints: wireType.varint,
  floats: wireType.fixed32,
  doubles: wireType.fixed64,
  int32s: wireType.varint,
  int64s: wireType.varint,
  uint64s: wireType.varint,
} as const;

export interface Field {
  name: string;
  number: number;
  /** "ints" is a list of safe integers; the other lists of numbers are typed arrays. */
  kind: keyof typeof elementWire;
  /** many: an array, empty when absent. some: an array, absent when empty. required: "" or 0 when absent. */
  presence?: 'many' | 'some' | 'required' | 'packed';
  /** For kind message; a function, because messages contain each other. */
  message?: () => Schema;
}

export interface Schema {
  /** Ascending by number, the order in which protobuf writes them. */
  fields: Field[];
  byNumber: Map<number, Field>;
}

type KindOf<V> = V extends bigint
  ? 'int64'
  : V extends number
    ? 'int' | 'float'
    : V extends string
      ? 'string'
      : V extends Uint8Array
        ? 'bytes'
        : V extends Float32Array
          ? 'floats'
          : V extends Float64Array
            ? 'doubles'
            : V extends Int32Array
              ? 'int32s'
              : V extends BigInt64Array
                ? 'int64s'
                : V extends BigUint64Array
                  ? 'uint64s'
                  : () => Schema;

type Entry<V> = V extends number[]
  ? [number, 'ints']
  : V extends (infer E)[]
    ? [number, KindOf<E>, 'many' | 'some']
    : [number, KindOf<V>] | [number, KindOf<V>, 'required' | 'packed'];

type Entries<T> = { [K in Exclude<keyof T, keyof Message>]-?: Entry<NonNullable<T[K]>> };

function schema<T extends Message>(entries: Entries<T>): Schema {
  type AnyEntry = [number, Exclude<Field['kind'], 'message'> | (() => Schema), Field['presence']?];
  const fields = Object.entries<AnyEntry>(entries as unknown as Record<string, AnyEntry>).map(
    ([name, [number, kind, presence]]): Field =>
      typeof kind === 'function'
        ? { name, number, kind: 'message', presence, message: kind }
        : { name, number, kind, presence },
  );
  fields.sort((a, b) => a.number - b.number);
  return { fields, byNumber: new Map(fields.map((field) => [field.number, field])) };
}

export const modelSchema: Schema = schema<Model>({
  irVersion: [1, 'int', 'required'],
  producerName: [2, 'string'],
  producerVersion: [3, 'string'],
  domain: [4, 'string'],
  modelVersion: [5, 'int64'],
  docString: [6, 'string'],
  graph: [7, () => graphSchema],
  opsetImport: [8, () => operatorSetIdSchema, 'many'],
  metadataProps: [14, () => stringEntrySchema, 'many'],
  trainingInfo: [20, () => trainingInfoSchema, 'many'],
  functions: [25, () => functionSchema, 'many'],
});

const operatorSetIdSchema: Schema = schema<OperatorSetId>({ domain: [1, 'string'], version: [2, 'int'] });

const stringEntrySchema: Schema = schema<StringEntry>({ key: [1, 'string'], value: [2, 'string'] });

const trainingInfoSchema: Schema = schema<TrainingInfo>({
  initialization: [1, () => graphSchema],
  algorithm: [2, () => graphSchema],
  initializationBinding: [3, () => stringEntrySchema, 'many'],
  updateBinding: [4, () => stringEntrySchema, 'many'],
});

const functionSchema: Schema = schema<FunctionDefinition>({
  name: [1, 'string', 'required'],
  input: [4, 'string', 'many'],
  output: [5, 'string', 'many'],
  attribute: [6, 'string', 'many'],
  node: [7, () => nodeSchema, 'many'],
  docString: [8, 'string'],
  opsetImport: [9, () => operatorSetIdSchema, 'many'],
  domain: [10, 'string'],
  attributeProto: [11, () => attributeSchema, 'many'],
  valueInfo: [12, () => valueInfoSchema, 'many'],
  overload: [13, 'string'],
  metadataProps: [14, () => stringEntrySchema, 'many'],
});

const graphSchema: Schema = schema<Graph>({
  node: [1, () => nodeSchema, 'many'],
  name: [2, 'string'],
  initializer: [5, () => tensorSchema, 'many'],
  docString: [10, 'string'],
  input: [11, () => valueInfoSchema, 'many'],
  output: [12, () => valueInfoSchema, 'many'],
  valueInfo: [13, () => valueInfoSchema, 'many'],
  quantizationAnnotation: [14, () => tensorAnnotationSchema, 'many'],
  sparseInitializer: [15, () => sparseTensorSchema, 'many'],
  metadataProps: [16, () => stringEntrySchema, 'many'],
});

const tensorAnnotationSchema: Schema = schema<TensorAnnotation>({
  tensorName: [1, 'string'],
  quantParameterTensorNames: [2, () => stringEntrySchema, 'many'],
});

const nodeSchema: Schema = schema<Node>({
  input: [1, 'string', 'many'],
  output: [2, 'string', 'many'],
  name: [3, 'string'],
  opType: [4, 'string', 'required'],
  attribute: [5, () => attributeSchema, 'many'],
  docString: [6, 'string'],
  domain: [7, 'string'],
  overload: [8, 'string'],
  metadataProps: [9, () => stringEntrySchema, 'many'],
});

const attributeSchema: Schema = schema<Attribute>({
  name: [1, 'string', 'required'],
  f: [2, 'float'],
  i: [3, 'int64'],
  s: [4, 'bytes'],
  t: [5, () => tensorSchema],
  g: [6, () => graphSchema],
  floats: [7, 'floats'],
  ints: [8, 'int64s'],
  strings: [9, 'bytes', 'some'],
  tensors: [10, () => tensorSchema, 'some'],
  graphs: [11, () => graphSchema, 'some'],
  docString: [13, 'string'],
  tp: [14, () => typeSchema],
  typeProtos: [15, () => typeSchema, 'some'],
  type: [20, 'int'],
  refAttrName: [21, 'string'],
  sparseTensor: [22, () => sparseTensorSchema],
  sparseTensors: [23, () => sparseTensorSchema, 'some'],
});

const valueInfoSchema: Schema = schema<ValueInfo>({
  name: [1, 'string', 'required'],
  type: [2, () => typeSchema],
  docString: [3, 'string'],
  metadataProps: [4, () => stringEntrySchema, 'many'],
});

export const tensorSchema: Schema = schema<Tensor>({
  dims: [1, 'ints'],
  dataType: [2, 'int', 'required'],
  segment: [3, () => segmentSchema],
  floatData: [4, 'floats', 'packed'],
  int32Data: [5, 'int32s', 'packed'],
  stringData: [6, 'bytes', 'some'],
  int64Data: [7, 'int64s', 'packed'],
  name: [8, 'string'],
  rawData: [9, 'bytes'],
  doubleData: [10, 'doubles', 'packed'],
  uint64Data: [11, 'uint64s', 'packed'],
  docString: [12, 'string'],
  externalData: [13, () => stringEntrySchema, 'many'],
  dataLocation: [14, 'int'],
  metadataProps: [16, () => stringEntrySchema, 'many'],
});

const segmentSchema: Schema = schema<Segment>({ begin: [1, 'int'], end: [2, 'int'] });

const sparseTensorSchema: Schema = schema<SparseTensor>({
  values: [1, () => tensorSchema],
  indices: [2, () => tensorSchema],
  dims: [3, 'ints'],
});

const typeSchema: Schema = schema<Type>({
  tensorType: [1, () => tensorTypeSchema],
  sequenceType: [4, () => elementTypeSchema],
  mapType: [5, () => mapTypeSchema],
  denotation: [6, 'string'],
  opaqueType: [7, () => opaqueTypeSchema],
  sparseTensorType: [8, () => tensorTypeSchema],
  optionalType: [9, () => elementTypeSchema],
});

const tensorTypeSchema: Schema = schema<TensorType>({ elemType: [1, 'int'], shape: [2, () => shapeSchema] });

const elementTypeSchema: Schema = schema<ElementType>({ elemType: [1, () => typeSchema] });

const mapTypeSchema: Schema = schema<MapType>({ keyType: [1, 'int'], valueType: [2, () => typeSchema] });

const opaqueTypeSchema: Schema = schema<OpaqueType>({ domain: [1, 'string'], name: [2, 'string'] });

const shapeSchema: Schema = schema<Shape>({ dim: [1, () => dimensionSchema, 'many'] });

const dimensionSchema: Schema = schema<Dimension>({
  dimValue: [1, 'int'],
  dimParam: [2, 'string'],
  denotation: [3, 'string'],
});
