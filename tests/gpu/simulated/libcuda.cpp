// A driver whose one kind of card is the processor: the functions of NVIDIA's that dlcore calls, with faults on
// demand. It shows that everything around the kernels works, and that the kernels compute what they should; not that
// a card does.
//
//   SIMULATED_CARDS=2          how many cards there are (1)
//   SIMULATED_MEMORY=1000000   bytes of each (2 GB)
//   SIMULATED_DRIVER=12020     the driver's version (12040)
//   SIMULATED_CAPABILITY=70    the compute capability, 7.0 (8.0)
//   SIMULATED_NO_PINNED=1      there is no page-locked memory
//   SIMULATED_LOG=FILE         what is asked of streams, events and page-locked memory is written there
//   SIMULATED_BROKEN=1         the driver does not start
//   SIMULATED_LOST_AFTER=100   after so many kernels every call fails, as when a card has gone
//   SIMULATED_SAME_CARD=1      all cards say that they are the same one
//   SIMULATED_LAUNCH_ERROR=2   the kernel SIMULATED_LAUNCH_ERROR_AT (10) is refused with this error, and so are the
//                              next ones until it was SIMULATED_LAUNCH_ERROR_TIMES (1)

#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "shim.h"

Triple blockIdx, blockDim, gridDim, threadIdx;

namespace {

enum Result {
    SUCCESS = 0,
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    NOT_INITIALIZED = 3,
    NO_DEVICE = 100,
    INVALID_DEVICE = 101,
    INVALID_IMAGE = 200,
    INVALID_CONTEXT = 201,
    NOT_FOUND = 500,
    NOT_READY = 600,
    ILLEGAL_ADDRESS = 700,
    UNKNOWN = 999,
};

std::recursive_mutex lock;
pid_t process = 0;
long launches = 0;
thread_local void* current = nullptr;
// What is handed out: its size by its address. Beyond its end there are bytes that nobody may write.
std::map<uintptr_t, size_t> pieces;
size_t used = 0;
const size_t MARGIN = 64;

long number(const char* name, long otherwise) {
    const char* text = getenv(name);
    return text && *text ? atol(text) : otherwise;
}

size_t memory() { return number("SIMULATED_MEMORY", 2000000000L); }

// Whether the driver can be used by this process, at this time.
Result state() {
    if (process == 0 || process != getpid()) return NOT_INITIALIZED;
    long after = number("SIMULATED_LOST_AFTER", -1);
    return after >= 0 && launches > after ? UNKNOWN : SUCCESS;
}

// What the simulated NCCL has begun on the one stream and has not done. What comes after it waits.
std::atomic<int> undone{0};

void wait_for_stream() {
    while (undone > 0) usleep(100);
}

#define CHECKED                                   \
    std::lock_guard<std::recursive_mutex> guard(lock); \
    if (Result bad = state()) return bad

#define WITH_CONTEXT   \
    wait_for_stream(); \
    CHECKED;           \
    if (!current) return INVALID_CONTEXT

Result identify(char* uuid, int device) {
    CHECKED;
    // Where ranks are to share a card, each has it under another number.
    int own = number("SIMULATED_SAME_CARD", 0) ? 0 : device;
    memset(uuid, 0, 16);
    memcpy(uuid, &own, sizeof own);
    return SUCCESS;
}

// Whether so many bytes at an address were handed out together.
bool owned(uintptr_t address, size_t bytes) {
    auto next = pieces.upper_bound(address);
    if (next == pieces.begin()) return false;
    auto piece = std::prev(next);
    return address + bytes <= piece->first + piece->second;
}

void note(const char* format, ...) {
    const char* path = getenv("SIMULATED_LOG");
    if (!path || !*path) return;
    FILE* file = fopen(path, "a");
    va_list values;
    va_start(values, format);
    vfprintf(file, format, values);
    va_end(values);
    fputc('\n', file);
    fclose(file);
}

// A stream beside that of the kernels. What is begun in it is done as late as may be: when something waits for it.
struct Copy {
    uintptr_t to;
    const void* from;
    size_t bytes;
};
struct Stream {
    std::vector<Copy> copies;
    size_t done;
    // Up to when it has waited for the kernels' stream.
    long seen;
};
struct Event {
    int number;
    // Where it was recorded last: null is the kernels' stream.
    Stream* stream;
    size_t position;
    // When, in the kernels' stream; 0 where it was not.
    long time;
};
// Counts what is done in the kernels' stream and could matter to others.
long now = 0;
int events = 0;
std::vector<Stream*> streams;
// Since when kernels may read or write an address.
std::map<uintptr_t, long> in_use;
std::map<uintptr_t, size_t> pinned;

// Does what was begun in a stream.
Result carry_out(Stream* stream, size_t position) {
    for (; stream->done < position; stream->done++) {
        const Copy& copy = stream->copies[stream->done];
        if (!owned(copy.to, copy.bytes)) {
            fprintf(stderr, "a copy goes to memory that was given back\n");
            return ILLEGAL_ADDRESS;
        }
        memcpy(reinterpret_cast<void*>(copy.to), copy.from, copy.bytes);
        in_use[copy.to] = ++now;
    }
    return SUCCESS;
}

Result carry_out_all() {
    for (Stream* stream : streams)
        if (Result bad = carry_out(stream, stream->copies.size())) return bad;
    return SUCCESS;
}

bool whole(uintptr_t address, size_t size) {
    const unsigned char* margin = reinterpret_cast<const unsigned char*>(address + size);
    for (size_t i = 0; i < MARGIN; i++)
        if (margin[i] != 0xA5) return false;
    return true;
}

// The threads of a block that wait for each other: each has a stack.
const size_t STACK = 32768, THREADS = 256;
struct Fiber {
    void* stack_pointer;
    bool done;
};
Fiber fibers[THREADS];
char* stacks = nullptr;
void* scheduler;
unsigned running;
const Kernel* kernel;
void** arguments;

extern "C" void simulated_switch(void** save, void* to);
#if defined(__x86_64__)
asm(R"(
.text
.globl simulated_switch
simulated_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
)");
#else
#error "the simulated card knows x86-64 only"
#endif

void fiber_main() {
    kernel->run(arguments);
    fibers[running].done = true;
    simulated_switch(&fibers[running].stack_pointer, scheduler);
    abort();
}

void start(unsigned thread) {
    uintptr_t top = reinterpret_cast<uintptr_t>(stacks + (thread + 1) * STACK) & ~uintptr_t(15);
    void** at = reinterpret_cast<void**>(top) - 2;
    *at = reinterpret_cast<void*>(&fiber_main);
    at -= 6;
    memset(at, 0, 6 * sizeof(void*));
    fibers[thread] = {at, false};
}

// Runs the threads of a block in turns, up to the next barrier each time; every other turn backwards, so that a
// barrier that is missing shows.
bool run_together(unsigned threads) {
    if (!stacks) stacks = static_cast<char*>(malloc(THREADS * STACK));
    if (threads > THREADS) return false;
    for (unsigned thread = 0; thread < threads; thread++) start(thread);
    for (unsigned turn = 0;; turn++) {
        unsigned done = 0;
        for (unsigned i = 0; i < threads; i++) {
            running = turn % 2 ? threads - 1 - i : i;
            threadIdx = {running, 0, 0};
            simulated_switch(&scheduler, fibers[running].stack_pointer);
            done += fibers[running].done;
        }
        if (done == threads) return true;
        if (done > 0) {
            fprintf(stderr, "%s: some threads of a block wait and others do not\n", kernel->name);
            return false;
        }
    }
}

}  // namespace

void __syncthreads() { simulated_switch(&fibers[running].stack_pointer, scheduler); }

extern "C" {

int cuInit(unsigned) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    if (number("SIMULATED_BROKEN", 0)) return UNKNOWN;
    if (number("SIMULATED_CARDS", 1) == 0) return NO_DEVICE;
    process = getpid();
    return SUCCESS;
}

int cuDriverGetVersion(int* version) {
    *version = number("SIMULATED_DRIVER", 12040);
    return SUCCESS;
}

int cuDeviceGetCount(int* count) {
    CHECKED;
    *count = number("SIMULATED_CARDS", 1);
    return SUCCESS;
}

int cuDeviceGet(int* device, int ordinal) {
    CHECKED;
    if (ordinal < 0 || ordinal >= number("SIMULATED_CARDS", 1)) return INVALID_DEVICE;
    *device = ordinal;
    return SUCCESS;
}

int cuDeviceGetName(char* name, int length, int device) {
    CHECKED;
    snprintf(name, length, "simulated card %d", device);
    return SUCCESS;
}

int cuDeviceTotalMem_v2(size_t* bytes, int) {
    CHECKED;
    *bytes = memory();
    return SUCCESS;
}

int cuDeviceGetAttribute(int* value, int attribute, int) {
    CHECKED;
    long capability = number("SIMULATED_CAPABILITY", 80);
    *value = attribute == 75 ? capability / 10 : capability % 10;
    return SUCCESS;
}

int cuDevicePrimaryCtxRetain(void** context, int device) {
    CHECKED;
    *context = reinterpret_cast<void*>(uintptr_t(device) + 1);
    return SUCCESS;
}

int cuCtxGetCurrent(void** context) {
    CHECKED;
    *context = current;
    return SUCCESS;
}

int cuCtxSetCurrent(void* context) {
    CHECKED;
    current = context;
    return SUCCESS;
}

int cuCtxSynchronize() {
    WITH_CONTEXT;
    return carry_out_all();
}

int cuStreamQuery(void*) {
    CHECKED;
    if (!current) return INVALID_CONTEXT;
    return undone > 0 ? NOT_READY : SUCCESS;
}

void simulated_busy(int change) { undone += change; }

int cuDeviceGetUuid_v2(char* uuid, int device) { return identify(uuid, device); }

// What drivers before CUDA 11.4 have.
int cuDeviceGetUuid(char* uuid, int device) { return identify(uuid, device); }

int cuMemAlloc_v2(uint64_t* address, size_t bytes) {
    WITH_CONTEXT;
    if (used + bytes > memory()) return OUT_OF_MEMORY;
    char* piece = static_cast<char*>(malloc(bytes + MARGIN));
    memset(piece, 0xFF, bytes);  // not a number, until it is written
    memset(piece + bytes, 0xA5, MARGIN);
    *address = reinterpret_cast<uintptr_t>(piece);
    pieces[*address] = bytes;
    in_use[*address] = ++now;
    used += bytes;
    return SUCCESS;
}

int cuMemFree_v2(uint64_t address) {
    WITH_CONTEXT;
    auto piece = pieces.find(address);
    if (piece == pieces.end()) return INVALID_VALUE;
    if (!whole(piece->first, piece->second)) {
        fprintf(stderr, "a kernel has written beyond a buffer of %zu bytes\n", piece->second);
        return ILLEGAL_ADDRESS;
    }
    used -= piece->second;
    free(reinterpret_cast<void*>(address));
    pieces.erase(piece);
    return SUCCESS;
}

int cuMemGetInfo_v2(size_t* free, size_t* total) {
    WITH_CONTEXT;
    *total = memory();
    *free = *total - used;
    return SUCCESS;
}

int cuMemcpyHtoD_v2(uint64_t to, const void* from, size_t bytes) {
    WITH_CONTEXT;
    if (!owned(to, bytes)) return INVALID_VALUE;
    memcpy(reinterpret_cast<void*>(to), from, bytes);
    return SUCCESS;
}

int cuMemcpyDtoH_v2(void* to, uint64_t from, size_t bytes) {
    WITH_CONTEXT;
    if (!owned(from, bytes)) return INVALID_VALUE;
    memcpy(to, reinterpret_cast<void*>(from), bytes);
    return SUCCESS;
}

int cuMemHostAlloc(void** address, size_t bytes, unsigned) {
    WITH_CONTEXT;
    if (number("SIMULATED_NO_PINNED", 0)) return OUT_OF_MEMORY;
    *address = malloc(bytes);
    pinned[reinterpret_cast<uintptr_t>(*address)] = bytes;
    note("pin %zu", bytes);
    return SUCCESS;
}

int cuMemFreeHost(void* address) {
    WITH_CONTEXT;
    uintptr_t at = reinterpret_cast<uintptr_t>(address);
    if (!pinned.count(at)) return INVALID_VALUE;
    for (Stream* stream : streams)
        for (size_t i = stream->done; i < stream->copies.size(); i++)
            if (stream->copies[i].from == address) {
                fprintf(stderr, "memory is given back that a copy still reads\n");
                return ILLEGAL_ADDRESS;
            }
    note("unpin %zu", pinned[at]);
    pinned.erase(at);
    free(address);
    return SUCCESS;
}

int cuStreamCreate(void** stream, unsigned) {
    WITH_CONTEXT;
    streams.push_back(new Stream{{}, 0, 0});
    *stream = streams.back();
    return SUCCESS;
}

int cuStreamDestroy_v2(void* given) {
    WITH_CONTEXT;
    Stream* stream = static_cast<Stream*>(given);
    if (Result bad = carry_out(stream, stream->copies.size())) return bad;
    streams.erase(std::find(streams.begin(), streams.end(), stream));
    // It is not deleted: events that were recorded in it outlive it, as on a card.
    return SUCCESS;
}

int cuEventCreate(void** event, unsigned) {
    WITH_CONTEXT;
    *event = new Event{++events, nullptr, 0, 0};
    return SUCCESS;
}

int cuEventDestroy_v2(void* event) {
    WITH_CONTEXT;
    delete static_cast<Event*>(event);
    return SUCCESS;
}

int cuEventRecord(void* given, void* stream) {
    WITH_CONTEXT;
    Event* event = static_cast<Event*>(given);
    event->stream = static_cast<Stream*>(stream);
    event->position = stream ? event->stream->copies.size() : 0;
    event->time = stream ? 0 : ++now;
    note("record %d %s", event->number, stream ? "copies" : "kernels");
    return SUCCESS;
}

// The kernels' stream does at once what it waits for.
int cuStreamWaitEvent(void* given, void* waited, unsigned) {
    WITH_CONTEXT;
    Stream* stream = static_cast<Stream*>(given);
    Event* event = static_cast<Event*>(waited);
    note("wait %d %s", event->number, stream ? "copies" : "kernels");
    if (stream) stream->seen = std::max(stream->seen, event->time);
    if (!stream && event->stream) return carry_out(event->stream, event->position);
    return SUCCESS;
}

int cuEventSynchronize(void* given) {
    WITH_CONTEXT;
    Event* event = static_cast<Event*>(given);
    return event->stream ? carry_out(event->stream, event->position) : SUCCESS;
}

int cuMemcpyHtoDAsync_v2(uint64_t to, const void* from, size_t bytes, void* given) {
    WITH_CONTEXT;
    Stream* stream = static_cast<Stream*>(given);
    auto memory = pinned.find(reinterpret_cast<uintptr_t>(from));
    if (!stream || memory == pinned.end() || memory->second < bytes || !owned(to, bytes)) return INVALID_VALUE;
    if (stream->seen <= in_use[to]) {
        fprintf(stderr, "a copy may overwrite what kernels still read\n");
        return ILLEGAL_ADDRESS;
    }
    stream->copies.push_back({to, from, bytes});
    note("copy %llx %zu", (unsigned long long)to, bytes);
    return SUCCESS;
}

int cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes, void*) {
    WITH_CONTEXT;
    if (!owned(to, bytes) || !owned(from, bytes)) return INVALID_VALUE;
    memmove(reinterpret_cast<void*>(to), reinterpret_cast<void*>(from), bytes);
    return SUCCESS;
}

int cuMemsetD8Async(uint64_t to, unsigned char value, size_t bytes, void*) {
    WITH_CONTEXT;
    if (!owned(to, bytes)) return INVALID_VALUE;
    memset(reinterpret_cast<void*>(to), value, bytes);
    return SUCCESS;
}

// An image is what the simulated NVRTC made: the source, which must be the one that this library was built from.
int cuModuleLoadData(void** module, const void* image) {
    WITH_CONTEXT;
    std::string text(static_cast<const char*>(image));
    if (text != std::string("SIMULATED\n") + SOURCE) {
        fprintf(stderr, "the simulated card was built from other kernels; build it again\n");
        return INVALID_IMAGE;
    }
    *module = current;
    return SUCCESS;
}

int cuModuleGetFunction(void** function, void*, const char* name) {
    WITH_CONTEXT;
    for (const Kernel* kernel = KERNELS; kernel->name; kernel++) {
        if (strcmp(kernel->name, name) == 0) {
            *function = const_cast<Kernel*>(kernel);
            return SUCCESS;
        }
    }
    return NOT_FOUND;
}

int cuLaunchKernel(void* function, unsigned grid, unsigned, unsigned, unsigned block, unsigned, unsigned, unsigned,
                   void*, void** given, void**) {
    WITH_CONTEXT;
    launches++;
    if (Result bad = state()) return bad;
    long at = number("SIMULATED_LAUNCH_ERROR_AT", 10), times = number("SIMULATED_LAUNCH_ERROR_TIMES", 1);
    if (long error = number("SIMULATED_LAUNCH_ERROR", 0))
        if (launches >= at && launches < at + times) return error;
    kernel = static_cast<const Kernel*>(function);
    arguments = given;
    gridDim = {grid, 1, 1};
    blockDim = {block, 1, 1};
    for (unsigned at = 0; at < grid; at++) {
        blockIdx = {at, 0, 0};
        if (kernel->waits) {
            if (!run_together(block)) return ILLEGAL_ADDRESS;
            continue;
        }
        for (unsigned thread = 0; thread < block; thread++) {
            threadIdx = {thread, 0, 0};
            kernel->run(given);
        }
    }
    return SUCCESS;
}

// So many kernels were begun since the process started.
long simulated_launches() { return launches; }

int cuGetErrorName(int error, const char** name) {
    static const std::map<int, const char*> names = {
        {INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE"},     {OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY"},
        {NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED"}, {NO_DEVICE, "CUDA_ERROR_NO_DEVICE"},
        {INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE"},   {INVALID_IMAGE, "CUDA_ERROR_INVALID_IMAGE"},
        {INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT"}, {NOT_FOUND, "CUDA_ERROR_NOT_FOUND"},
        {ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS"}, {UNKNOWN, "CUDA_ERROR_UNKNOWN"},
    };
    auto found = names.find(error);
    *name = found == names.end() ? nullptr : found->second;
    return found == names.end() ? INVALID_VALUE : SUCCESS;
}

int cuGetErrorString(int error, const char** text) {
    const char* name;
    if (int bad = cuGetErrorName(error, &name)) return bad;
    *text = "simulated";
    return SUCCESS;
}
}
