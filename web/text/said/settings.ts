// What each setting is for, and the words for its default.
import type { Said } from '../said.ts';

export const settingSaid: Said = [
  ['Folder that holds models, the database and the socket.', '存放模型、数据库与套接字的目录。'],
  ['/var/lib/aimass as root, else ~/.local/share/aimass', 'root 为 /var/lib/aimass，否则为 ~/.local/share/aimass'],
  [
    'Who may call versions that no release has made live: owners, or everyone who may call models.',
    '谁可以调用尚未上线的版本：owners（模型负责人），或 everyone（所有可调用模型者）。',
  ],
  [
    'Domain, e.g. models.corp.lan, below which every endpoint is reached by a host name of its own.',
    '域名，如 models.corp.lan，每个端点可通过其下的独立主机名访问。',
  ],
  [
    'Networks, e.g. 10.1.0.0/16, that models may be fetched from; without any they come by upload or path.',
    '可从中获取模型的网络，如 10.1.0.0/16；未设置则只能上传或从服务器路径导入。',
  ],
  [
    'Folders on the server, separated by colons, e.g. /srv/models, that models may be imported from.',
    '可从中导入模型的服务器目录，以冒号分隔，如 /srv/models。',
  ],
  [
    'Networks, e.g. 10.1.0.0/16, that webhooks may send to; without any there are no webhooks.',
    'Webhook 可发送到的网络，如 10.1.0.0/16；未设置则不启用 Webhook。',
  ],
  [
    'Mail server, e.g. smtp://name:password@mail.corp:587; only as a variable or in the settings file.',
    '邮件服务器，如 smtp://name:password@mail.corp:587；仅可通过环境变量或设置文件提供。',
  ],
  [
    'Sender of notifications by mail, e.g. AI Mass <aimass@corp.example>.',
    '通知邮件的发件人，如 AI Mass <aimass@corp.example>。',
  ],
  ['Settings file (TOML).', '设置文件（TOML）。'],
  ['aimass.toml in the data folder, if it exists', '数据目录中的 aimass.toml（如存在）'],
  ['Address and port to serve on.', '服务监听的地址与端口。'],
  ['debug, info, warn or error. debug logs every request.', 'debug、info、warn 或 error；debug 会记录每个请求。'],
  ['Longest time a request may take when it names no timeout itself.', '请求未指定超时时的最长处理时间。'],
  ['Longest time an instance may take to start.', '实例启动的最长时间。'],
  [
    'Longest time a request waits for the first instance of its version to start.',
    '请求等待其版本首个实例启动的最长时间。',
  ],
  [
    'A batch that computes longer is taken as hung and its instance is replaced.',
    '计算超过该时间的批次视为挂起，其实例会被替换。',
  ],
  ['At shutdown, how long running requests may finish.', '关闭时等待进行中的请求完成的时间。'],
  ['Longest time to look at an uploaded model.', '检查上传模型的最长时间。'],
  [
    'Memory in MiB that looking at an uploaded model may take beyond its weights.',
    '检查上传模型时除权重外可用的内存（MiB）。',
  ],
  ['Largest file that may be uploaded.', '可上传的最大文件。'],
  ['Hours after which an unfinished upload is removed.', '未完成的上传保留的小时数。'],
  ['Largest body of an inference request.', '推理请求正文的最大大小。'],
  ['Largest JSON part of a request.', '请求中 JSON 部分的最大大小。'],
  ['Largest tensor, in binary form, that is read or written as JSON.', '以 JSON 读写的张量的最大大小（按二进制计）。'],
  ['Largest compressed body once inflated.', '压缩正文解压后的最大大小。'],
  [
    'Requests that may wait for one version, unless it sets its own limit.',
    '每个版本可排队的请求数（版本自身另有设置时除外）。',
  ],
  ['Cores that all instances may use together; 0 is all of them.', '所有实例可共用的 CPU 核数；0 表示全部。'],
  ['Memory that is kept free on every device.', '每个设备上预留的内存。'],
  [
    'Networks, e.g. 10.1.0.0/16,127.0.0.1, where models may be called without a key.',
    '无需密钥即可调用模型的网络，如 10.1.0.0/16,127.0.0.1。',
  ],
  ['Networks where /metrics may be read without a key.', '无需密钥即可读取 /metrics 的网络。'],
  [
    'Networks of reverse proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.',
    '受信任的反向代理网络，采信其 X-Forwarded-For 与 X-Forwarded-Proto。',
  ],
  [
    'off: plain HTTP; self-signed: a certificate made at the first start; files: tls_cert and tls_key.',
    'off：明文 HTTP；self-signed：首次启动时生成证书；files：使用 tls_cert 与 tls_key。',
  ],
  [
    "PEM file with the server's certificate, then those that lead to the authority. Read again when it changes.",
    '服务器证书及其上级证书链的 PEM 文件；文件变更后自动重新读取。',
  ],
  ['PEM file with its key, without passphrase.', '证书私钥的 PEM 文件，不带口令。'],
  [
    'Address and port, e.g. 0.0.0.0:80, where plain HTTP is sent on to HTTPS.',
    '将明文 HTTP 重定向到 HTTPS 的地址与端口，如 0.0.0.0:80。',
  ],
  [
    'How long browsers shall refuse plain HTTP once they came by HTTPS; 0 does not ask them to.',
    '浏览器通过 HTTPS 访问后拒绝明文 HTTP 的时长（秒）；0 表示不要求。',
  ],
  [
    'Address that people open, e.g. https://gpu-box.corp:8700, for links and single sign-on.',
    '用户访问的地址，如 https://gpu-box.corp:8700，用于链接与单点登录。',
  ],
  ['URL of the OpenID Connect provider, for single sign-on.', '用于单点登录的 OpenID Connect 服务的 URL。'],
  ['Name that the provider knows this appliance by.', '本系统在该服务中的客户端 ID。'],
  [
    "The provider's secret for this appliance; only as a variable or in the settings file.",
    '该服务为本系统分配的密钥；仅可通过环境变量或设置文件提供。',
  ],
  ["Claim with a person's groups.", '包含用户所属组的声明名称。'],
  [
    'Which group has which role, e.g. ml-admins=administrator,ml-team=owner,staff=viewer.',
    '用户组与角色的对应关系，如 ml-admins=administrator,ml-team=owner,staff=viewer。',
  ],
  ['Name of the provider on the sign-in page.', '登录页上显示的单点登录名称。'],
  ['on: the provider may be without TLS. For tests alone.', 'on：允许单点登录服务不使用 TLS，仅供测试。'],
  [
    "auto: WebGPU on AMD's and Intel's GPUs; on: also on an adapter that only Vulkan sees; off: never.",
    'auto：在 AMD 与 Intel GPU 上使用 WebGPU；on：也用于仅 Vulkan 可见的适配器；off：不使用。',
  ],
  [
    "Folders, separated by colons, that are searched for CUDA's libraries before the system's.",
    '优先于系统路径查找 CUDA 库的目录，以冒号分隔。',
  ],
];
