// A compiler that hands its source on, for the simulated driver, which has the kernels compiled in.
//
//   SIMULATED_COMPILE_ERROR=1   it finds an error instead
//   SIMULATED_COMPILER=13       its version (12)

#include <cstdlib>
#include <cstring>
#include <string>

struct Program {
    std::string source, image, log;
};

static long number(const char* name, long otherwise) {
    const char* text = getenv(name);
    return text && *text ? atol(text) : otherwise;
}

static int size(const std::string& text, size_t* bytes) {
    *bytes = text.size() + 1;
    return 0;
}

static int copy(const std::string& text, char* to) {
    memcpy(to, text.c_str(), text.size() + 1);
    return 0;
}

extern "C" {

int nvrtcVersion(int* major, int* minor) {
    *major = number("SIMULATED_COMPILER", 12);
    *minor = 4;
    return 0;
}

int nvrtcCreateProgram(Program** program, const char* source, const char*, int, const char* const*,
                       const char* const*) {
    *program = new Program{source, "", ""};
    return 0;
}

int nvrtcCompileProgram(Program* program, int, const char* const*) {
    if (number("SIMULATED_COMPILE_ERROR", 0)) {
        program->log = "pointwise.cu(1): error: identifier \"simulated\" is undefined";
        return 6;
    }
    program->image = "SIMULATED\n" + program->source;
    return 0;
}

int nvrtcGetCUBINSize(Program* program, size_t* bytes) { return size(program->image, bytes); }
int nvrtcGetCUBIN(Program* program, char* to) { return copy(program->image, to); }
int nvrtcGetProgramLogSize(Program* program, size_t* bytes) { return size(program->log, bytes); }
int nvrtcGetProgramLog(Program* program, char* to) { return copy(program->log, to); }

int nvrtcDestroyProgram(Program** program) {
    delete *program;
    *program = nullptr;
    return 0;
}
}
