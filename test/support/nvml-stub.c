/* A stand-in for NVIDIA's libnvidia-ml.so.1. What it reports stands in a text file beside it, "<library>.scenario",
 * which is read again on every call, so that a running process can be driven. Types are those that nvml.h defines.
 * Build: cc -shared -fPIC -o libnvidia-ml.so.1 nvml-stub.c     (-DOLD_DRIVER: without the functions of newer drivers;
 * -DDRIVER_535: the third version of the process list as drivers 535.43 … 535.97 had it)
 *
 * Lines of a scenario ("key=value" pairs, no spaces in values; "_" in a name stands for a space):
 *   init status=18                         what nvmlInit_v2 returns
 *   count status=1                         what nvmlDeviceGetCount_v2 returns
 *   driver version=580.95.05 cuda=13000
 *   gpu uuid= name= domain= bus= total= used= reserved= util= temp= power= limit= sm= mem= throttle= ecc= major= minor=
 *       lost=15 (every call on it answers this) nomem=3 (its memory cannot be read) mig=1
 *   mig gpu=0 uuid= name= total= used=
 *   process gpu=0 pid= used= name=         (mig=1 in place of gpu=: on the second MIG instance)
 *   xid gpu=0 code=79                      each such line is delivered once
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int nvmlReturn_t;
typedef struct nvmlDevice_st *nvmlDevice_t;
typedef struct nvmlEventSet_st *nvmlEventSet_t;

enum { SUCCESS = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7,
       TIMEOUT = 10, ARGUMENT_VERSION_MISMATCH = 25 };

typedef struct {
  char busIdLegacy[16];
  unsigned int domain, bus, device, pciDeviceId, pciSubSystemId;
  char busId[32];
} nvmlPciInfo_t;

typedef struct { unsigned long long total, free, used; } nvmlMemory_t;
typedef struct { unsigned int version; unsigned long long total, reserved, free, used; } nvmlMemory_v2_t;
typedef struct { unsigned int gpu, memory; } nvmlUtilization_t;
typedef struct { unsigned int pid; unsigned long long usedGpuMemory; } nvmlProcessInfo_v1_t;
typedef struct {
  unsigned int pid;
  unsigned long long usedGpuMemory;
  unsigned int gpuInstanceId, computeInstanceId;
#ifdef DRIVER_535
  unsigned long long usedGpuCcProtectedMemory;
#endif
} nvmlProcessInfo_t;
typedef struct {
  unsigned int multiprocessorCount, sharedCopyEngineCount, sharedDecoderCount, sharedEncoderCount, sharedJpegCount,
      sharedOfaCount, gpuInstanceSliceCount, computeInstanceSliceCount;
  unsigned long long memorySizeMB;
} nvmlDeviceAttributes_t;
typedef struct {
  nvmlDevice_t device;
  unsigned long long eventType, eventData;
  unsigned int gpuInstanceId, computeInstanceId;
} nvmlEventData_t;

#define MOST 2048
#define LINE 512
static char lines[MOST][LINE];
static int line_count, initialised, xids_taken;

static void reread(void) {
  Dl_info self;
  char path[4096];
  line_count = 0;
  if (!dladdr((void *)reread, &self)) return;
  snprintf(path, sizeof path, "%s.scenario", self.dli_fname);
  FILE *file = fopen(path, "r");
  if (!file) return;
  while (line_count < MOST && fgets(lines[line_count], LINE, file)) {
    lines[line_count][strcspn(lines[line_count], "\n")] = 0;
    line_count++;
  }
  fclose(file);
}

/* The n-th line that starts with `word`. */
static const char *find_line(const char *word, int n) {
  size_t length = strlen(word);
  for (int i = 0; i < line_count; i++)
    if (!strncmp(lines[i], word, length) && (lines[i][length] == ' ' || !lines[i][length]) && n-- == 0) return lines[i];
  return NULL;
}

static const char *find_value(const char *line, const char *key) {
  char wanted[64];
  snprintf(wanted, sizeof wanted, " %s=", key);
  const char *at = line ? strstr(line, wanted) : NULL;
  return at ? at + strlen(wanted) : NULL;
}

static unsigned long long number(const char *line, const char *key, unsigned long long fallback) {
  const char *value = find_value(line, key);
  return value ? strtoull(value, NULL, 0) : fallback;
}

static nvmlReturn_t copy_text(const char *line, const char *key, char *target, unsigned int size, int spaces) {
  const char *value = find_value(line, key);
  if (!value) return NOT_SUPPORTED;
  size_t length = strcspn(value, " ");
  if (length + 1 > size) return INSUFFICIENT_SIZE;
  for (size_t i = 0; i < length; i++) target[i] = spaces && value[i] == '_' ? ' ' : value[i];
  target[length] = 0;
  return SUCCESS;
}

/* Handles: 0x1000 + index for a GPU, 0x2000 + index for a MIG instance (counted over the whole scenario). */
static nvmlDevice_t handle_of(int base, int index) { return (nvmlDevice_t)(uintptr_t)(base + index); }
static int is_mig(nvmlDevice_t device) { return ((uintptr_t)device & 0x2000) != 0; }
static int index_of(nvmlDevice_t device) { return (int)((uintptr_t)device & 0xfff); }
static const char *device_line(nvmlDevice_t device) { return find_line(is_mig(device) ? "mig" : "gpu", index_of(device)); }

static nvmlReturn_t check(nvmlDevice_t device) {
  if (!initialised) return UNINITIALIZED;
  reread();
  const char *line = device_line(device);
  if (!line) return INVALID_ARGUMENT;
  if (is_mig(device)) line = find_line("gpu", (int)number(line, "gpu", 0));
  return (nvmlReturn_t)number(line, "lost", SUCCESS);
}

#define CHECK(device)                      \
  do {                                     \
    nvmlReturn_t status_ = check(device);  \
    if (status_ != SUCCESS) return status_; \
  } while (0)

static nvmlReturn_t give(const char *line, const char *key, unsigned int *target) {
  if (!find_value(line, key)) return NOT_SUPPORTED;
  *target = (unsigned int)number(line, key, 0);
  return SUCCESS;
}

nvmlReturn_t nvmlInit_v2(void) {
  reread();
  nvmlReturn_t status = (nvmlReturn_t)number(find_line("init", 0), "status", SUCCESS);
  initialised = status == SUCCESS;
  return status;
}

nvmlReturn_t nvmlShutdown(void) {
  initialised = 0;
  return SUCCESS;
}

nvmlReturn_t nvmlSystemGetDriverVersion(char *version, unsigned int length) {
  reread();
  return copy_text(find_line("driver", 0), "version", version, length, 0);
}

nvmlReturn_t nvmlSystemGetCudaDriverVersion_v2(int *version) {
  reread();
  return give(find_line("driver", 0), "cuda", (unsigned int *)version);
}

nvmlReturn_t nvmlSystemGetProcessName(unsigned int pid, char *name, unsigned int length) {
  reread();
  const char *line;
  for (int i = 0; (line = find_line("process", i)); i++)
    if (number(line, "pid", 0) == pid) return copy_text(line, "name", name, length, 1);
  return NOT_FOUND;
}

nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int *count) {
  if (!initialised) return UNINITIALIZED;
  reread();
  *count = 0;
  while (find_line("gpu", (int)*count)) ++*count;
  return (nvmlReturn_t)number(find_line("count", 0), "status", SUCCESS);
}

nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t *device) {
  *device = handle_of(0x1000, (int)index);
  nvmlReturn_t status = check(*device);
  const char *line = device_line(*device);
  /* handle=1: the handle is still given although the GPU is lost, as real drivers do for some time. */
  return number(line, "handle", 0) ? SUCCESS : status;
}

nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned int length) {
  CHECK(device);
  return copy_text(device_line(device), "name", name, length, 1);
}

nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *uuid, unsigned int length) {
  CHECK(device);
  return copy_text(device_line(device), "uuid", uuid, length, 0);
}

nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t *pci) {
  CHECK(device);
  const char *line = device_line(device);
  memset(pci, 0, sizeof *pci);
  pci->domain = (unsigned int)number(line, "domain", 0);
  pci->bus = (unsigned int)number(line, "bus", 1 + (unsigned)index_of(device));
  pci->pciDeviceId = 0x233010de;
  snprintf(pci->busId, sizeof pci->busId, "%08X:%02X:%02X.0", pci->domain, pci->bus, pci->device);
  snprintf(pci->busIdLegacy, sizeof pci->busIdLegacy, "%04X:%02X:%02X.0", pci->domain & 0xffff, pci->bus, pci->device);
  return SUCCESS;
}

static nvmlReturn_t memory_of(nvmlDevice_t device, unsigned long long *total, unsigned long long *reserved,
                              unsigned long long *used) {
  CHECK(device);
  const char *line = device_line(device);
  *total = number(line, "total", 0);
  *reserved = number(line, "reserved", 0);
  *used = number(line, "used", 0) + *reserved;
  return (nvmlReturn_t)number(line, "nomem", SUCCESS);
}

nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory) {
  unsigned long long reserved;
  nvmlReturn_t status = memory_of(device, &memory->total, &reserved, &memory->used);
  memory->free = memory->total - memory->used;
  return status;
}

nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *rates) {
  CHECK(device);
  rates->memory = 0;
  return give(device_line(device), "util", &rates->gpu);
}

nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, unsigned int sensor, unsigned int *celsius) {
  CHECK(device);
  return sensor ? INVALID_ARGUMENT : give(device_line(device), "temp", celsius);
}

nvmlReturn_t nvmlDeviceGetPowerUsage(nvmlDevice_t device, unsigned int *milliwatts) {
  CHECK(device);
  return give(device_line(device), "power", milliwatts);
}

nvmlReturn_t nvmlDeviceGetEnforcedPowerLimit(nvmlDevice_t device, unsigned int *milliwatts) {
  CHECK(device);
  return give(device_line(device), "limit", milliwatts);
}

nvmlReturn_t nvmlDeviceGetClockInfo(nvmlDevice_t device, unsigned int type, unsigned int *mhz) {
  CHECK(device);
  return type == 1 ? give(device_line(device), "sm", mhz)
                   : type == 2 ? give(device_line(device), "mem", mhz) : INVALID_ARGUMENT;
}

static nvmlReturn_t throttle_of(nvmlDevice_t device, unsigned long long *reasons) {
  CHECK(device);
  if (!find_value(device_line(device), "throttle")) return NOT_SUPPORTED;
  *reasons = number(device_line(device), "throttle", 0);
  return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetCurrentClocksThrottleReasons(nvmlDevice_t device, unsigned long long *reasons) {
  return throttle_of(device, reasons);
}

nvmlReturn_t nvmlDeviceGetTotalEccErrors(nvmlDevice_t device, int type, int counter, unsigned long long *errors) {
  CHECK(device);
  if (type != 1 || counter != 0 || !find_value(device_line(device), "ecc")) return NOT_SUPPORTED;
  *errors = number(device_line(device), "ecc", 0);
  return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetCudaComputeCapability(nvmlDevice_t device, int *major, int *minor) {
  CHECK(device);
  *minor = (int)number(device_line(device), "minor", 0);
  return give(device_line(device), "major", (unsigned int *)major);
}

/* The n-th process on the device, or NULL. */
static const char *process_on(nvmlDevice_t device, int n) {
  const char *line;
  for (int i = 0; (line = find_line("process", i)); i++)
    if (find_value(line, is_mig(device) ? "mig" : "gpu") &&
        number(line, is_mig(device) ? "mig" : "gpu", 0) == (unsigned long long)index_of(device) && n-- == 0)
      return line;
  return NULL;
}

#define FILL_PROCESSES(device, count, list)                            \
  do {                                                                 \
    CHECK(device);                                                     \
    unsigned int room = *(count), n = 0;                               \
    while (process_on(device, (int)n)) n++;                            \
    *(count) = n;                                                      \
    if (n > room) return INSUFFICIENT_SIZE;                            \
    memset(list, 0, n * sizeof *(list));                               \
    for (unsigned int i = 0; i < n; i++) {                             \
      (list)[i].pid = (unsigned int)number(process_on(device, (int)i), "pid", 0); \
      (list)[i].usedGpuMemory = number(process_on(device, (int)i), "used", ~0ULL); \
    }                                                                  \
    return SUCCESS;                                                    \
  } while (0)

nvmlReturn_t nvmlDeviceGetComputeRunningProcesses(nvmlDevice_t device, unsigned int *count, nvmlProcessInfo_v1_t *list) {
  FILL_PROCESSES(device, count, list);
}

#ifndef OLD_DRIVER
nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned int *count, nvmlProcessInfo_t *list) {
  FILL_PROCESSES(device, count, list);
}

nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t *memory) {
  if (memory->version != (sizeof(nvmlMemory_v2_t) | (2u << 24))) return ARGUMENT_VERSION_MISMATCH;
  nvmlReturn_t status = memory_of(device, &memory->total, &memory->reserved, &memory->used);
  memory->free = memory->total - memory->used;
  return status;
}

nvmlReturn_t nvmlDeviceGetCurrentClocksEventReasons(nvmlDevice_t device, unsigned long long *reasons) {
  return throttle_of(device, reasons);
}

nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned int *current, unsigned int *pending) {
  CHECK(device);
  if (give(device_line(device), "mig", current) != SUCCESS) return NOT_SUPPORTED;
  *pending = *current;
  return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t device, unsigned int *count) {
  CHECK(device);
  *count = 7;
  return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned int index, nvmlDevice_t *instance) {
  CHECK(device);
  const char *line;
  for (int i = 0; (line = find_line("mig", i)); i++)
    if (number(line, "gpu", 0) == (unsigned long long)index_of(device) && index-- == 0) {
      *instance = handle_of(0x2000, i);
      return SUCCESS;
    }
  return NOT_FOUND;
}

nvmlReturn_t nvmlDeviceGetAttributes_v2(nvmlDevice_t device, nvmlDeviceAttributes_t *attributes) {
  CHECK(device);
  memset(attributes, 0, sizeof *attributes);
  attributes->memorySizeMB = number(device_line(device), "total", 0) >> 20;
  return is_mig(device) ? SUCCESS : INVALID_ARGUMENT;
}
#endif

static int registered[64];

nvmlReturn_t nvmlEventSetCreate(nvmlEventSet_t *set) {
  *set = (nvmlEventSet_t)(uintptr_t)0x4000;
  memset(registered, 0, sizeof registered);
  return SUCCESS;
}

nvmlReturn_t nvmlDeviceRegisterEvents(nvmlDevice_t device, unsigned long long types, nvmlEventSet_t set) {
  CHECK(device);
  if ((uintptr_t)set != 0x4000 || types != 8 || is_mig(device) || index_of(device) >= 64) return INVALID_ARGUMENT;
  registered[index_of(device)] = 1;
  return SUCCESS;
}

nvmlReturn_t nvmlEventSetWait_v2(nvmlEventSet_t set, nvmlEventData_t *data, unsigned int timeout) {
  reread();
  const char *line = find_line("xid", xids_taken);
  int gpu = (int)number(line, "gpu", 0);
  if ((uintptr_t)set != 0x4000 || timeout != 0) return INVALID_ARGUMENT;
  if (!line || gpu >= 64 || !registered[gpu]) return TIMEOUT;
  xids_taken++;
  memset(data, 0, sizeof *data);
  data->device = handle_of(0x1000, gpu);
  data->eventType = 8;
  data->eventData = number(line, "code", 0);
  data->gpuInstanceId = data->computeInstanceId = ~0u;
  return SUCCESS;
}

nvmlReturn_t nvmlEventSetFree(nvmlEventSet_t set) { return (uintptr_t)set == 0x4000 ? SUCCESS : INVALID_ARGUMENT; }
