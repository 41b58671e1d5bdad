! Calls the C functions of the file that `nets[i].to_c("ticket.c", name="ticket")` writes.
program call_net
  use, intrinsic :: iso_c_binding, only: c_double
  implicit none

  interface
    function ticket(x) bind(c, name="ticket") result(f)
      import :: c_double
      real(c_double), value :: x
      real(c_double) :: f
    end function ticket

    function ticket_with_slope(x, slope) bind(c, name="ticket_with_slope") result(f)
      import :: c_double
      real(c_double), value :: x
      real(c_double), intent(out) :: slope
      real(c_double) :: f
    end function ticket_with_slope
  end interface

  integer :: i
  real(c_double) :: x, f, slope

  do i = -4, 4
    x = 0.5_c_double * i
    f = ticket_with_slope(x, slope)
    if (f /= ticket(x)) error stop "the two functions differ"
    print '(3f12.6)', x, f, slope
  end do
end program call_net
