// Files that the bundler embeds; the import gives their path.
declare module '*.node' {
  const path: string;
  export default path;
}
declare module '*.so.1' {
  const path: string;
  export default path;
}
declare module '*.onnx' {
  const path: string;
  export default path;
}
declare module '*.sql' {
  const text: string;
  export default text;
}
declare module '*.css' {
  const text: string;
  export default text;
}

// Scripts of the pages are imported as text, to be served as they are.
declare module '*.js' {
  const text: string;
  export default text;
}
