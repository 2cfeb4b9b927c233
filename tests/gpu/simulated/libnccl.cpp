// The sums of NCCL over loopback sockets: rank 0 adds what the others send, in their order. As there, a sum is begun by one
// call and done later, on the card's stream, and a rank that does not come is waited for without an end.
//
//   SIMULATED_NCCL_ERROR=5      a rank that joins is refused with this error
//   SIMULATED_NCCL_STOPS=3      the sum of this number is never done, as when another rank does not come

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace {

const int SUCCESS = 0, SYSTEM_ERROR = 2, INVALID_USAGE = 5, REMOTE_ERROR = 6;
const int FLOAT32 = 7, SUM = 0;

long number(const char* name, long otherwise) {
    const char* text = getenv(name);
    return text && *text ? atol(text) : otherwise;
}

// Tells the simulated driver that its stream is busy, or is not any more.
void busy(int change) {
    using Busy = void (*)(int);
    static Busy function = [] {
        void* driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
        return driver ? reinterpret_cast<Busy>(dlsym(driver, "simulated_busy")) : nullptr;
    }();
    if (!function) abort();
    function(change);
}

struct Id {
    char bytes[128];
};

struct Sum {
    float* at;
    size_t count;
};

struct Comm {
    int rank = 0, size = 0;
    std::vector<int> others;  // of rank 0, in order; of the others the one to rank 0
    std::atomic<int> error{SUCCESS};
    std::atomic<bool> ended{false};
    std::mutex lock;
    std::condition_variable more;
    std::deque<std::vector<Sum>> begun;
    long sums = 0;
    std::thread worker;
};

int listener = -1;
thread_local bool grouped = false;
thread_local std::vector<std::pair<Comm*, Sum>> group;

// Moves so many bytes, as long as the group is not ended.
bool moved(Comm* comm, int socket, void* at, size_t bytes, bool out) {
    char* to = static_cast<char*>(at);
    while (bytes > 0) {
        if (comm->ended) return false;
        pollfd ready{socket, short(out ? POLLOUT : POLLIN), 0};
        if (poll(&ready, 1, 20) == 0) continue;
        ssize_t some = out ? send(socket, to, bytes, MSG_NOSIGNAL) : recv(socket, to, bytes, 0);
        if (some <= 0) return false;
        to += some;
        bytes -= some;
    }
    return true;
}

bool summed(Comm* comm, const Sum& sum) {
    size_t bytes = sum.count * sizeof(float);
    if (comm->rank > 0)
        return moved(comm, comm->others[0], sum.at, bytes, true) && moved(comm, comm->others[0], sum.at, bytes, false);
    std::vector<float> other(sum.count);
    for (int socket : comm->others) {
        if (!moved(comm, socket, other.data(), bytes, false)) return false;
        for (size_t i = 0; i < sum.count; i++) sum.at[i] += other[i];
    }
    for (int socket : comm->others)
        if (!moved(comm, socket, sum.at, bytes, true)) return false;
    return true;
}

void work(Comm* comm) {
    for (;;) {
        std::vector<Sum> sums;
        {
            std::unique_lock<std::mutex> guard(comm->lock);
            comm->more.wait(guard, [&] { return comm->ended || !comm->begun.empty(); });
            if (comm->begun.empty()) return;
            sums = std::move(comm->begun.front());
            comm->begun.pop_front();
        }
        bool stops = ++comm->sums == number("SIMULATED_NCCL_STOPS", -1);
        while (stops && !comm->ended) usleep(1000);
        for (const Sum& sum : sums)
            if (comm->error == SUCCESS && !comm->ended && !summed(comm, sum) && !comm->ended)
                comm->error = REMOTE_ERROR;
        // The kernel of a sum that failed runs on until the group is ended.
        while (comm->error != SUCCESS && !comm->ended) usleep(1000);
        busy(-1);
    }
}

int begin(Comm* comm, std::vector<Sum> sums) {
    busy(1);
    std::lock_guard<std::mutex> guard(comm->lock);
    comm->begun.push_back(std::move(sums));
    comm->more.notify_one();
    return SUCCESS;
}

}  // namespace

extern "C" {

int ncclGetUniqueId(Id* id) {
    listener = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    if (bind(listener, reinterpret_cast<sockaddr*>(&address), length) || listen(listener, 64)) return SYSTEM_ERROR;
    getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length);
    memset(id, 0xEE, sizeof *id);
    memcpy(id->bytes, &address, sizeof address);
    return SUCCESS;
}

int ncclCommInitRank(Comm** out, int size, Id id, int rank) {
    if (long error = number("SIMULATED_NCCL_ERROR", 0)) return error;
    Comm* comm = new Comm;
    comm->rank = rank;
    comm->size = size;
    if (rank == 0) {
        comm->others.assign(size - 1, -1);
        for (int joined = 1; joined < size; joined++) {
            int other = accept(listener, nullptr, nullptr), number = 0;
            if (!moved(comm, other, &number, sizeof number, false)) return REMOTE_ERROR;
            comm->others[number - 1] = other;
        }
        close(listener);
    } else {
        sockaddr_in address;
        memcpy(&address, id.bytes, sizeof address);
        int zero = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(zero, reinterpret_cast<sockaddr*>(&address), sizeof address)) return SYSTEM_ERROR;
        if (!moved(comm, zero, &rank, sizeof rank, true)) return REMOTE_ERROR;
        comm->others = {zero};
    }
    comm->worker = std::thread(work, comm);
    *out = comm;
    return SUCCESS;
}

int ncclCommAbort(Comm* comm) {
    {
        std::lock_guard<std::mutex> guard(comm->lock);
        comm->ended = true;
        comm->more.notify_one();
    }
    comm->worker.join();
    for (int socket : comm->others) close(socket);
    delete comm;
    return SUCCESS;
}

int ncclCommGetAsyncError(Comm* comm, int* error) {
    *error = comm->error;
    return SUCCESS;
}

const char* ncclGetErrorString(int error) {
    switch (error) {
        case SUCCESS: return "no error";
        case INVALID_USAGE: return "invalid usage (simulated)";
        case REMOTE_ERROR: return "remote process exited or there was a network error (simulated)";
        default: return "unhandled system error (simulated)";
    }
}

int ncclGroupStart() {
    grouped = true;
    return SUCCESS;
}

int ncclAllReduce(const void* from, void* to, size_t count, int type, int operation, Comm* comm, void* stream) {
    if (from != to || type != FLOAT32 || operation != SUM || stream) return INVALID_USAGE;
    Sum sum{static_cast<float*>(to), count};
    if (!grouped) return begin(comm, {sum});
    group.push_back({comm, sum});
    return SUCCESS;
}

int ncclGroupEnd() {
    grouped = false;
    if (group.empty()) return SUCCESS;
    Comm* comm = group[0].first;
    std::vector<Sum> sums;
    for (const auto& [own, sum] : group) {
        if (own != comm) return INVALID_USAGE;
        sums.push_back(sum);
    }
    group.clear();
    return begin(comm, std::move(sums));
}
}
