/*
 * clone3(2) whose child begins in a function, below all frames of ours: what shares our memory
 * cannot return by them. So we may not run before it has left that memory (CLONE_VFORK). Answers
 * what the kernel does, a negative errno for a failure.
 */
#ifndef TSDOCKER_CLONE3_ONTO_H
#define TSDOCKER_CLONE3_ONTO_H

#include <errno.h>
#include <stddef.h>

#include "sys.h"

struct birth;
/* The child's stack begins so far below ours, past what a function may use there unasked. */
#define STACK_GAP_BYTES 256
/* Never returns. */
typedef void (*first_function)(const struct birth *birth);

#if defined(__x86_64__)
static inline long clone3_onto(struct clone3_args *args, first_function first,
                               const struct birth *birth)
{
    long result;
    args->stack_size = STACK_GAP_BYTES;
    /* Where the stack is only the very place of the call knows. */
    __asm__ volatile("lea -%c[below](%%rsp), %%rax\n\t"
                     "and $-16, %%rax\n\t"
                     "mov %%rax, %c[stack](%%rdi)\n\t"
                     "mov %[number], %%eax\n\t"
                     "syscall\n\t"
                     "test %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "xor %%ebp, %%ebp\n\t"
                     "mov %[birth], %%rdi\n\t"
                     "call *%[first]\n\t"
                     "ud2\n"
                     "1:"
                     : "=&a"(result)
                     : "D"(args), "S"(sizeof *args), [first] "r"(first), [birth] "r"(birth),
                       [number] "i"(SYS_clone3), [below] "i"(2 * STACK_GAP_BYTES),
                       [stack] "i"(offsetof(struct clone3_args, stack))
                     : "rcx", "r11", "memory");
    return result;
}
#elif defined(__aarch64__)
static inline long clone3_onto(struct clone3_args *args, first_function first,
                               const struct birth *birth)
{
    register long x8 __asm__("x8") = SYS_clone3;
    register long x0 __asm__("x0") = (long)args;
    register long x1 __asm__("x1") = sizeof *args;
    args->stack_size = STACK_GAP_BYTES;
    __asm__ volatile("sub x9, sp, %[below]\n\t"
                     "str x9, [x0, %[stack]]\n\t"
                     "svc 0\n\t"
                     "cbnz x0, 1f\n\t"
                     "mov x29, xzr\n\t"
                     "mov x0, %[birth]\n\t"
                     "blr %[first]\n\t"
                     "brk 0\n"
                     "1:"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), [first] "r"(first), [birth] "r"(birth),
                       [below] "i"(2 * STACK_GAP_BYTES),
                       [stack] "i"(offsetof(struct clone3_args, stack))
                     : "x9", "memory");
    return x0;
}
#else
static inline long clone3_onto(struct clone3_args *args, first_function first,
                               const struct birth *birth)
{
    (void)args;
    (void)first;
    (void)birth;
    return -ENOSYS;
}
#endif

#endif
